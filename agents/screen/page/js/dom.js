// Small hands for the DOM. All text goes through textContent; what is the same is not touched.

/** Make an element: attributes as an object, children as nodes or strings. */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) attr(node, name, value);
  node.append(...children);
  return node;
}

/** Set the text of a node if it differs. */
export function text(node, value) {
  if (node.textContent !== value) node.textContent = value;
}

/** Set an attribute if it differs; null and false remove it, true sets it empty. */
export function attr(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
    return;
  }
  const wanted = value === true ? "" : String(value);
  if (node.getAttribute(name) !== wanted) node.setAttribute(name, wanted);
}

/** Set a CSS custom property; bars and ticks take their lengths from these. */
export function prop(node, name, value) {
  const wanted = String(value);
  if (node.style.getPropertyValue(name) !== wanted) node.style.setProperty(name, wanted);
}

/** Return the nodes of `root` that carry data-at, by its value. */
export function parts(root) {
  const found = {};
  for (const node of root.querySelectorAll("[data-at]")) found[node.dataset.at] = node;
  return found;
}

const KEPT = new WeakMap(); // parent -> Map of key -> child

/**
 * Make the children of `parent` match `items`, in order. A child lives as long as its key;
 * only what moved is moved.
 */
export function keyed(parent, items, key, create, update) {
  const before = KEPT.get(parent) ?? new Map();
  const after = new Map();
  items.forEach((item, i) => {
    const id = key(item);
    const node = before.get(id) ?? create(item);
    before.delete(id);
    after.set(id, node);
    update(node, item, i);
    if (parent.children[i] !== node) parent.insertBefore(node, parent.children[i] ?? null);
  });
  for (const node of before.values()) node.remove();
  KEPT.set(parent, after);
}
