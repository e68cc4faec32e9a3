// Keeps a page that says so (`data-live-ms`) as it would be after reloading it, copies commands, and knows a few
// keys. Everything works without scripts.
"use strict";

const main = document.querySelector("main[data-live-ms]");
const REQUEST_TIMEOUT_MS = 10000;
const FIRST_EVENT_MS = 10000; // a proxy between may hold a stream back for ever
const ASKS_BEFORE_STREAM = 60;

function parts(root) {
  return new Map([...root.querySelectorAll("[data-live][id]")].map((part) => [part.id, part]));
}

// Each part is replaced on its own and only where it has changed, and never while somebody is in it.
function take(fresh) {
  const here = parts(document);
  const there = parts(fresh);
  const isSame = here.size === there.size && [...there.keys()].every((id) => here.has(id));
  if (!isSame) {
    main.replaceChildren(...fresh.querySelector("main").childNodes);
    return;
  }
  for (const [id, part] of there) {
    const old = here.get(id);
    if (old.innerHTML !== part.innerHTML && !old.contains(document.activeElement)) {
      old.replaceChildren(...part.childNodes);
    }
  }
}

function say(words) {
  const state = document.getElementById("live-state");
  if (state && state.textContent !== words) state.textContent = words;
}

// --- by asking: where no stream comes through ---
async function look() {
  if (!document.hidden) {
    try {
      const options = { headers: { accept: "text/html" }, cache: "no-store", signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) };
      const answer = await fetch(location.href, options);
      if (!answer.ok) throw new Error(`answer ${answer.status}`);
      take(new DOMParser().parseFromString(await answer.text(), "text/html"));
      say("Live");
    } catch (error) {
      say("No answer: these numbers are no longer live. Trying again.");
    }
  }
}

async function ask(times = ASKS_BEFORE_STREAM) {
  if (times === 0) return listen();
  await look();
  setTimeout(ask, Number(main.dataset.liveMs), times - 1);
}

// --- by a stream of what has changed (`parts`: id -> content, null where it is gone) ---
async function put(changed) {
  const isSame = Object.entries(changed).every(([id, content]) => content !== null && document.getElementById(id));
  if (!isSame) return look();
  for (const [id, content] of Object.entries(changed)) {
    const part = document.getElementById(id);
    if (!part.contains(document.activeElement)) part.innerHTML = content;
  }
}

// A stream ends by itself now and then, and the browser opens it again; who is refused one, or gets nothing, asks instead.
function listen() {
  let stream = null;
  let patience = null;
  const close = () => {
    clearTimeout(patience);
    stream?.close();
  };
  const giveUp = () => {
    close();
    document.removeEventListener("visibilitychange", turn);
    ask();
  };
  const open = () => {
    patience = setTimeout(giveUp, FIRST_EVENT_MS);
    stream = new EventSource(main.dataset.liveFrom);
    stream.addEventListener("parts", async (event) => {
      clearTimeout(patience);
      await put(JSON.parse(event.data));
      say("Live");
    });
    stream.addEventListener("open", () => say("Live"));
    stream.addEventListener("error", () => {
      if (stream.readyState === EventSource.CLOSED) giveUp();
      else say("No answer: these numbers are no longer live. Trying again.");
    });
  };
  const turn = () => (document.hidden ? close() : open()); // what nobody sees costs nothing
  document.addEventListener("visibilitychange", turn);
  if (!document.hidden) open();
}

if (main) listen();

// --- sliders, each beside the number that is sent ---
for (const slider of document.querySelectorAll("input[type=range][data-of]")) {
  const number = slider.form.elements[slider.dataset.of];
  slider.value = number.value;
  slider.hidden = false;
  slider.addEventListener("input", () => (number.value = slider.value));
  number.addEventListener("input", () => (slider.value = number.value));
}

// --- buttons that copy a text; it can be selected without them ---
async function copied(text) {
  getSelection().selectAllChildren(text);
  try {
    await navigator.clipboard.writeText(text.innerText);
    return true;
  } catch {
    return document.execCommand("copy"); // there is no navigator.clipboard on http:// of another machine
  }
}

for (const button of document.querySelectorAll("button[data-copies]")) {
  const text = document.getElementById(button.dataset.copies);
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.parentElement.querySelector("[role=status]").textContent = (await copied(text)) ? "Copied" : "Selected: copy it by hand";
  });
}

// --- keys: j and k along a list, Enter is the link's own; n and p along the pages of a list ---
function step(by) {
  const links = [...document.querySelectorAll("[data-keys] tbody th a")];
  const at = links.indexOf(document.activeElement);
  const next = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + by, 0), links.length - 1)];
  if (next) next.focus();
}

function follow(relation) {
  const link = document.querySelector(`a[rel=${relation}]`);
  if (link) link.click();
}

const KEYS = { j: () => step(1), k: () => step(-1), n: () => follow("next"), p: () => follow("prev") };

document.addEventListener("keydown", (event) => {
  const isWriting = event.target.closest?.("input, select, textarea");
  if (isWriting || event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(KEYS, event.key)) return;
  event.preventDefault();
  KEYS[event.key]();
});
