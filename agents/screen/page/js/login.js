// Signing in: the token comes in the address's fragment, which no server sees, or by hand.

import { postJson, sessionUrl } from "./api.js";
import { shell } from "./shell.js";
import { start, t } from "./words.js";

const REFUSED = "login.refused";
const WRONG = { 400: REFUSED, 401: REFUSED, 403: REFUSED, 429: "login.too_often" };

const form = document.getElementById("form");
const field = document.getElementById("token");
const said = document.getElementById("said");

const fragment = takeFragment();
await start();
const header = shell();
say("");
if (fragment) await signIn(fragment);
else field.focus();

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const token = field.value.trim();
  if (token) signIn(token);
  else say("login.empty");
});
document.addEventListener("language", () => say(""));

/** Return the token of the address and remove it from there, so that no one can read it later. */
function takeFragment() {
  const token = decodeURIComponent(location.hash.slice(1)).replace(/^token=/, "");
  if (token) history.replaceState(null, "", location.pathname + location.search);
  return token;
}

async function signIn(token) {
  say("login.signing_in");
  try {
    location.replace(home(await postJson("/v1/login", { token })));
  } catch (error) {
    say(WRONG[error.status] ?? "login.unreachable");
    field.focus();
  }
}

/** Where to go: the page that was asked for; from the sign-in page the only session, or all. */
function home({ sessions }) {
  if (location.pathname !== "/login") return location.pathname;
  return sessions.length === 1 ? sessionUrl(sessions[0]) : "/";
}

function say(key) {
  header({ title: "livepulse", page: t("title.login") });
  said.textContent = key ? t(key) : "";
}
