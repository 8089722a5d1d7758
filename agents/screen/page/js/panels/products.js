// Products: the shelf as a table, what sells, what runs out, what goes together.

import { attr, h, parts, text } from "../dom.js";
import { age, money, scale, short, shortMoney, whole } from "../format.js";
import { productName } from "../sentences.js";
import { Table } from "../table.js";
import { fill, t } from "../words.js";

const FIRST = 12;
const FIRST_ON_WALL = 8; // there the whole screen is seen at once, and nobody scrolls
const WALL = matchMedia("(min-width: 150rem)");
const SOON_MIN = 10;

/** Return `update(snapshot)` for the panel in `root`. */
export function products(root) {
  const at = parts(root);
  let newest = null;
  let all = false;
  const table = productTable(() => newest);
  at.table.append(table.node);
  at.more.addEventListener("click", () => {
    all = !all;
    draw();
  });

  function draw() {
    const { length } = newest.products;
    const first = WALL.matches ? FIRST_ON_WALL : FIRST;
    text(at.count, t("products.count", { n: length }));
    attr(at.table, "hidden", length === 0);
    attr(at.none, "hidden", length > 0);
    attr(at.more, "hidden", length <= first);
    text(at.more, all ? t("products.fewer") : t("products.all", { n: length }));
    table.update(newest.products, all ? Infinity : first);
  }

  return (snapshot) => {
    newest = snapshot;
    draw();
  };
}

/** The shelf table; `snapshot()` gives the newest one, for currency and names. */
export function productTable(snapshot) {
  const currency = () => snapshot().session.currency;
  return new Table({
    label: "products",
    key: (one) => one.id,
    sort: { key: "gmv_gross", descending: true },
    columns: [
      {
        key: "product",
        head: "products.product",
        words: true,
        value: (one) => one.title || one.id,
        draw: drawName,
      },
      cash("price", "products.price", money, currency),
      { key: "stock", head: "products.stock", value: (one) => one.stock, draw: drawStock },
      {
        key: "sells_out",
        head: "products.sells_out",
        value: (one) => one.sells_out_in_min,
        draw: drawSellsOut,
      },
      ...["exposed", "clicked", "carted", "ordered", "paid"].map(people),
      {
        key: "carts",
        head: "products.in_carts",
        value: (one) => one.carts,
        draw: (cell, one) => text(cell, short(one.carts)),
      },
      cash("gmv_gross", "products.gmv", shortMoney, currency),
      {
        key: "with",
        head: "products.bought_with",
        words: true,
        value: (one) => names(snapshot(), one),
        draw: (cell, one) => drawWith(cell, names(snapshot(), one)),
      },
    ],
  });
}

const cash = (key, head, show, currency) => ({
  key,
  head,
  value: (one) => one[key],
  draw: (cell, one) => {
    text(cell, show(one[key], currency()));
    attr(cell, "title", money(one[key], currency()));
  },
  unit: currency,
  take: (one) => one[key] / scale(currency()),
});

const people = (key) => ({
  key,
  head: `products.${key}`,
  value: (one) => one[key],
  draw: (cell, one) => text(cell, short(one[key])),
});

const names = (snapshot, one) => one.bought_with.map((id) => productName(snapshot, id)).join(t("list.and"));

function drawName(cell, one) {
  if (!cell.childElementCount) {
    cell.append(
      h("span", { class: "name" }),
      h("span", { class: "tag", "data-tone": "look", "data-t": "products.pinned" }),
      h("span", { class: "tag", "data-t": "products.unlisted" }),
    );
    fill(cell);
  }
  const [name, pinned, unlisted] = cell.children;
  text(name, one.title || one.id);
  attr(name, "title", one.title || one.id);
  attr(pinned, "hidden", !one.pinned);
  attr(unlisted, "hidden", one.listed);
}

function drawStock(cell, one) {
  text(cell, one.stock === 0 ? t("products.sold_out") : whole(one.stock));
  cell.classList.toggle("bad", one.stock === 0);
}

function drawSellsOut(cell, one) {
  const left = one.stock === 0 ? null : one.sells_out_in_min;
  text(cell, left === null ? "–" : t("products.sells_out.about", { age: age(left * 60_000) }));
  cell.classList.toggle("bad", left !== null && left < SOON_MIN);
}

function drawWith(cell, words) {
  cell.classList.toggle("with", true); // unlike add, it leaves alone what is there
  text(cell, words);
  attr(cell, "title", words || null);
}
