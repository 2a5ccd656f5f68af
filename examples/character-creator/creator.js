// A character in four steps, from the pictures that pixform has published. No library and no build step: fetch the rows,
// show them, remember what was chosen in the address and for this tab.

const { api, collection } = document.documentElement.dataset;
const rowsUrl = `${api}/api/${encodeURIComponent(collection)}`;
const STEPS = [
  { id: "style", title: "Choose a style", hint: "It sets the look of every picture that follows.", name: "Style" },
  { id: "age", title: "How old?", hint: "Seven ages, from the first year at university to great-grandparents.", name: "Age" },
  { id: "body", title: "Which body type?", hint: "From slim to muscular.", name: "Body type" },
  { id: "ethnicity", title: "Which ethnicity?", hint: "The last choice; you can come back to any step.", name: "Ethnicity" },
];
const STORED = "character";
const stage = document.getElementById("stage");
const title = document.getElementById("title");
const hint = document.getElementById("hint");
const status = document.getElementById("status");

const words = (value) => {
  const text = value.replaceAll(/[_-](?=[a-z])/gi, " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
};

// Choices: in the address, so that they can be shared and the back button undoes them; and for this tab, so that they are
// there again when somebody comes back without them.
const known = (entries) => Object.fromEntries(entries.filter(([id, value]) => value && STEPS.some((step) => step.id === id)));
function choices() {
  return known([...new URLSearchParams(location.search)]);
}
function stored() {
  try { return known(Object.entries(JSON.parse(sessionStorage.getItem(STORED)) ?? {})); } catch { return {}; }
}
function stepOf(chosen) {
  const asked = new URLSearchParams(location.search).get("step");
  const open = STEPS.findIndex((step) => !chosen[step.id]);
  const last = open === -1 ? STEPS.length : open;
  const at = asked === "summary" ? STEPS.length : STEPS.findIndex((step) => step.id === asked);
  return at === -1 ? last : Math.min(at, last);
}
function address(chosen, at) {
  const query = new URLSearchParams(STEPS.filter((step) => chosen[step.id]).map((step) => [step.id, chosen[step.id]]));
  query.set("step", at < STEPS.length ? STEPS[at].id : "summary");
  return `${location.pathname}?${query}`;
}
function go(chosen, at, how = "pushState") {
  history[how](null, "", address(chosen, at));
  sessionStorage.setItem(STORED, JSON.stringify(chosen));
  show(how === "pushState");
}

// Rows: each question is asked once.
const asked = new Map();
function rows(filter) {
  const url = `${rowsUrl}?${new URLSearchParams(filter)}`;
  if (!asked.has(url)) {
    const answer = fetch(url).then((response) => {
      if (!response.ok) throw new Error(`${response.status} for ${url}`);
      return response.json();
    });
    answer.catch(() => asked.delete(url));
    asked.set(url, answer);
  }
  return asked.get(url);
}
async function options(at, chosen) {
  if (at > 0) {
    const found = await rows({ category: STEPS[at].id, style: chosen.style });
    return found.map((row) => ({ value: row.value, row }));
  }
  // A picture for each style: the same person in all of them.
  const found = await rows({ category: "age" });
  const styles = [...new Set(found.map((row) => row.style))];
  return styles.map((style) => {
    const same = found.filter((row) => row.style === style);
    return { value: style, row: same[Math.floor(same.length / 2)] };
  });
}
async function preload(at, chosen) {
  if (at >= STEPS.length || (at > 0 && !chosen.style)) return;
  for (const { row } of await options(at, chosen)) new Image().src = row.image_url;
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}
function picture(row, label) {
  const image = element("img", { src: row.image_url, alt: "", width: row.width, height: row.height, decoding: "async" });
  const frame = element("span", { class: "frame" }, image);
  // Without its picture a choice is still a choice: its name stands in the place.
  image.addEventListener("error", () => frame.replaceChildren(element("span", { class: "failed" }, label)));
  return frame;
}

function drawSteps(at, chosen) {
  const open = STEPS.findIndex((step) => !chosen[step.id]);
  const items = STEPS.map((step, index) => {
    const reachable = open === -1 || index <= open;
    const button = element("button", {
      type: "button",
      disabled: reachable ? undefined : "",
      "aria-current": index === at ? "step" : undefined,
      onclick: () => go(choices(), index),
    }, element("span", { class: "dot", "aria-hidden": "true" }, chosen[step.id] ? "✓" : String(index + 1)),
    element("span", {}, chosen[step.id] ? words(chosen[step.id]) : step.name));
    button.setAttribute("aria-label", `${step.name}${chosen[step.id] ? `: ${words(chosen[step.id])}` : ""}`);
    return element("li", {}, button);
  });
  document.getElementById("steps").replaceChildren(...items);
}

// Cards side by side are walked through with the arrows, as well as with Tab.
function walk(event) {
  const cards = [...stage.querySelectorAll(".card")];
  const at = cards.indexOf(document.activeElement);
  const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: cards.length - 1 }[event.key];
  if (at === -1 || to === undefined || !cards[to]) return;
  event.preventDefault();
  cards[to].focus();
}

let drawing = 0;
async function show(moved) {
  const chosen = choices();
  const at = stepOf(chosen);
  const mine = ++drawing;
  drawSteps(at, chosen);
  title.textContent = at < STEPS.length ? STEPS[at].title : "Your character";
  hint.textContent = at < STEPS.length ? STEPS[at].hint : "Three pictures, and the words that they combine to.";
  document.title = `${title.textContent} · Create a character`;
  try {
    const content = at < STEPS.length ? await drawChoices(at, chosen) : await drawSummary(chosen);
    if (mine !== drawing) return;
    stage.replaceChildren(content);
    if (moved) {
      title.focus({ preventScroll: true });
      scrollTo({ top: 0 });
    }
    status.textContent = at < STEPS.length ? `Step ${at + 1} of ${STEPS.length}: ${title.textContent}` : title.textContent;
    stage.dataset.ready = at < STEPS.length ? STEPS[at].id : "summary";
    await preload(at + 1, chosen);
  } catch (error) {
    if (mine !== drawing) return;
    stage.replaceChildren(element("div", { class: "trouble", role: "alert" },
      element("p", {}, "The pictures could not be loaded."),
      element("button", { type: "button", class: "main", onclick: () => show(false) }, "Try again")));
    console.warn(error.message);
  }
}
async function drawChoices(at, chosen) {
  const step = STEPS[at];
  const cards = (await options(at, chosen)).map(({ value, row }) => {
    const label = words(value);
    // The pictures of the next step are on their way before anybody clicks.
    const soon = at === 0 ? () => preload(1, { style: value }).catch(() => {}) : undefined;
    return element("li", {}, element("button", {
      type: "button", class: "card", "data-value": value, "aria-pressed": String(chosen[step.id] === value),
      onclick: () => go({ ...chosen, [step.id]: value }, at + 1),
      ...(soon ? { onpointerenter: soon, onfocus: soon } : {}),
    }, picture(row, label), element("span", { class: "label" }, label)));
  });
  if (cards.length === 0) throw new Error(`no pictures of ${step.id}`);
  const back = element("button", { type: "button", class: "quiet", onclick: () => go(chosen, at - 1) }, "← Back");
  const list = element("ul", { class: `cards cards-${step.id}`, "aria-label": step.title, onkeydown: walk }, ...cards);
  return element("div", {}, list, ...(at > 0 ? [back] : []));
}

// What all prompts say is said once; what each alone says follows in the order of the steps. Clothes are worn once, and come last.
function combine(prompts) {
  const parts = prompts.map((prompt) => prompt.split(/,\s+/));
  const isShared = (part) => parts.every((own) => own.includes(part));
  const first = parts[0] ?? [];
  const from = first.findIndex((part) => !isShared(part));
  if (from === -1) return first.join(", ");
  const own = parts.flatMap((all) => all.filter((part) => !isShared(part)));
  const isClothes = (part) => part.startsWith("fully clothed");
  const mine = [...own.filter((part) => !isClothes(part)), ...own.filter(isClothes).slice(0, 1)];
  return [...first.slice(0, from), ...new Set(mine), ...first.slice(from).filter(isShared)].join(", ");
}
async function drawSummary(chosen) {
  const chosenRows = await Promise.all(STEPS.slice(1).map(async (step) => {
    const found = await rows({ category: step.id, style: chosen.style });
    const row = found.find((one) => one.value === chosen[step.id]);
    if (!row) throw new Error(`no picture of ${step.id} ${chosen[step.id]}`);
    return { step, row };
  }));
  const figures = chosenRows.map(({ step, row }) => {
    const label = words(row.value);
    return element("li", {}, element("figure", {}, picture(row, label),
      element("figcaption", {}, element("small", {}, step.name), label)));
  });
  const prompt = combine(chosenRows.map(({ row }) => row.prompt ?? ""));
  const copied = element("button", { type: "button", class: "main", onclick: async () => {
    try { await navigator.clipboard.writeText(prompt); copied.textContent = "Copied"; } catch { getSelection().selectAllChildren(text); }
  } }, "Copy the prompt");
  const text = element("p", { class: "prompt", id: "prompt" }, prompt);
  const again = element("button", { type: "button", class: "quiet", onclick: () => go({}, 0) }, "Start again");
  return element("div", { class: "summary" },
    element("ul", { class: "chosen", "aria-label": "Chosen pictures" }, ...figures),
    element("section", { "aria-labelledby": "words" }, element("h2", { id: "words" }, `${words(chosen.style)}, in words`), text,
      element("p", { class: "actions" }, copied, again)));
}

addEventListener("popstate", () => show(true));
if (Object.keys(choices()).length === 0 && Object.keys(stored()).length > 0 && !location.search) {
  const chosen = stored();
  const open = STEPS.findIndex((step) => !chosen[step.id]);
  go(chosen, open === -1 ? STEPS.length : open, "replaceState");
} else {
  sessionStorage.setItem(STORED, JSON.stringify(choices()));
  show(false);
}
