"use strict";
/* Which builds run: verdictOf() compares numbers that make.py wrote; the rest shows them. */
const [TORCH, CUDA, VARIANT, SOURCE, PYTHONS, FLOOR, GLIBC, REACH, SURE] = [0, 1, 2, 3, 4, 5, 6, 7, 8];

const parts = (text) => text.split(".").map(Number);

function compare(left, right) {
  const [a, b] = [parts(left), parts(right)];
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const step = (a[at] || 0) - (b[at] || 0);
    if (step) return step;
  }
  return 0;
}

/* A branch alone, 580, stands for its newest release. */
function reaches(driver, floor) {
  const alone = !driver.includes(".");
  return compare(driver, floor) >= 0 || (alone && parts(driver)[0] === parts(floor)[0]);
}

/* The newest CUDA that a driver speaks; of one that is newer than the facts, at least this. */
function spoken(facts, driver) {
  const known = facts.branches.filter(([major]) => major <= parts(driver)[0]);
  return known.length ? known[known.length - 1][1] : null;
}

/* How a build fares on a device (or null) under a driver (or null): {runs: true | false | null, how, why}. */
function verdictOf(facts, build, at, driver) {
  const device = at === null ? null : facts.devices[at];
  if (build[CUDA] === null) return { runs: true, how: "cpu", why: "a build for the CPU" };
  const code = device ? build[REACH][at] : "2";
  if (code === "0") return { runs: false, how: "card", why: `no code for ${device.capability}` };
  if (driver !== null) {
    const refused = byDriver(facts, build, device, driver, code);
    if (refused) return refused;
  }
  if (code === "?") return { runs: null, how: "unknown", why: "what code it has is not known" };
  return byDegree(facts, build, driver, code);
}

function byDriver(facts, build, device, driver, code) {
  if (device && device.first && compare(driver, device.first) < 0)
    return { runs: false, how: "driver", why: `the card needs driver ≥ ${device.first}` };
  if (device && device.last && parts(driver)[0] > parts(device.last)[0])
    return { runs: false, how: "driver", why: `the card is served up to driver branch R${device.last}` };
  const speaks = spoken(facts, driver);
  if (build[FLOOR] && !reaches(driver, build[FLOOR]) && !(speaks && compare(speaks, build[CUDA]) >= 0))
    return { runs: false, how: "driver", why: `needs driver ≥ ${build[FLOOR]}` };
  if (code === "1" && !(speaks && compare(speaks, build[CUDA]) >= 0))
    return { runs: false, how: "driver", why: `its PTX needs a driver for CUDA ${build[CUDA]}` };
  return null;
}

function byDegree(facts, build, driver, code) {
  if (code === "1") return { runs: true, how: "ptx", why: "yes, compiled by the driver (PTX)" };
  if (driver === null) return { runs: true, how: "code", why: "if the driver is new enough" };
  const speaks = spoken(facts, driver);
  const native = speaks && compare(speaks, build[CUDA]) >= 0;
  return native
    ? { runs: true, how: "native", why: "yes" }
    : { runs: true, how: "minor", why: "yes, by minor-version compatibility" };
}

/* Read "2.8", ">=2.6" or "<2.9,>=2.6"; null for what cannot be read. */
function specifier(text) {
  const tests = text.split(",").map((each) => /^\s*(>=|<=|==|<|>|)\s*v?(\d+(?:\.\d+)*)(?:\.\*)?\s*$/.exec(each));
  if (tests.includes(null)) return null;
  return (torch) => tests.every(([, sign, wanted]) => holds(torch.split("+")[0], sign, wanted));
}

function holds(torch, sign, wanted) {
  const step = compare(torch, wanted);
  if (sign === "" || sign === "==") return `${torch}.`.startsWith(`${wanted}.`);
  return { ">=": step >= 0, "<=": step <= 0, "<": step < 0, ">": step > 0 }[sign];
}

/* Find a device by a card's name, whole or in part, or by its capability; undefined for none. */
function deviceOf(facts, text) {
  const word = text.trim().toLowerCase();
  if (/^\d+\.\d+$/.test(word)) {
    const at = facts.devices.findIndex((each) => each.capability === word && !each.jetson);
    const any = facts.devices.findIndex((each) => each.capability === word);
    return at >= 0 ? at : any >= 0 ? any : undefined;
  }
  const names = Object.keys(facts.cards);
  const exact = names.find((name) => name.toLowerCase() === word);
  const found = exact ? [exact] : names.filter((name) => name.toLowerCase().includes(word));
  const kinds = new Set(found.map((name) => facts.cards[name]));
  return kinds.size === 1 ? [...kinds][0] : undefined;
}

/* Newest torch first; of one torch, what the driver speaks itself first, then the newest CUDA. */
function inOrder(rows) {
  const degree = { native: 0, code: 0, cpu: 3, minor: 1, ptx: 2, unknown: 4, driver: 5, card: 6 };
  return rows.sort((a, b) =>
    compare(b.build[TORCH], a.build[TORCH]) ||
    degree[a.verdict.how] - degree[b.verdict.how] ||
    compare(b.build[CUDA] || "0", a.build[CUDA] || "0"));
}

if (typeof document === "undefined") module.exports = { verdictOf, specifier, deviceOf, spoken, inOrder };
else start(JSON.parse(document.getElementById("facts").textContent));

function start(facts) {
  const form = document.getElementById("asked");
  const field = (name) => form.elements[name];
  const options = (name, words, any) =>
    field(name).replaceChildren(...(any ? [new Option(any, "")] : []), ...words.map((each) => new Option(each, each)));
  const all = Object.values(facts.builds).flat();
  const sorted = (at) => [...new Set(all.flatMap((build) => build[at]))].filter(Boolean).sort((a, b) => compare(b, a));
  options("cuda", sorted(CUDA), "any");
  field("cuda").add(new Option("none (CPU)", "cpu"));
  options("python", sorted(PYTHONS), "any");
  options("source", [...new Set(all.map((build) => build[SOURCE]))], "anywhere");
  options("subdir", Object.keys(facts.builds));
  document.getElementById("cards").append(...Object.keys(facts.cards).map((name) => new Option(name)));
  document.getElementById("drivers").append(
    ...[...facts.branches].reverse().map(([major, cuda]) => new Option(`speaks CUDA ${cuda}`, major)));
  let most = 40;
  const state = () => Object.fromEntries([...new FormData(form)].filter(([, text]) => text));
  const restore = () => {
    for (const [name, text] of new URLSearchParams(location.hash.slice(1)))
      if (field(name)) field(name).type === "checkbox" ? (field(name).checked = true) : (field(name).value = text);
  };

  function asked() {
    const told = state();
    const bad = [];
    const device = told.gpu ? deviceOf(facts, told.gpu) : null;
    if (device === undefined) bad.push(["gpu", "no card, or several of different capability, by this name"]);
    const driver = told.driver ? told.driver.trim().replace(/^r/i, "") : null;
    if (driver !== null && !/^\d{3}(\.\d+){0,2}$/.test(driver)) bad.push(["driver", "a driver is like 550.54.15, or 550"]);
    const torch = told.torch ? specifier(told.torch) : () => true;
    if (torch === null) bad.push(["torch", "torch is like 2.8, >=2.6 or >=2.6,<2.9"]);
    return { told, bad, device, driver, torch };
  }

  function rowsOf({ told, device, driver, torch }) {
    return facts.builds[told.subdir]
      .filter((build) => torch(build[TORCH]))
      .filter((build) => wantedCuda(build, told.cuda, device))
      .filter((build) => !told.python || build[PYTHONS].includes(told.python))
      .filter((build) => !told.source || build[SOURCE] === told.source)
      .map((build) => ({ build, verdict: verdictOf(facts, build, device, driver) }));
  }

  /* On a GPU, builds for the CPU are shown only when they are asked for. */
  function wantedCuda(build, cuda, device) {
    if (cuda) return cuda === "cpu" ? build[CUDA] === null : build[CUDA] === cuda;
    return device === null || build[CUDA] !== null;
  }

  function show() {
    const question = asked();
    for (const input of form.querySelectorAll("input")) input.removeAttribute("aria-invalid");
    for (const [name] of question.bad) field(name).setAttribute("aria-invalid", "true");
    history.replaceState(null, "", `#${new URLSearchParams(question.told)}`);
    const rows = question.bad.length ? [] : inOrder(rowsOf(question));
    const wanted = rows.filter(({ verdict }) => question.told.all || verdict.runs !== false);
    say(question, rows);
    document.getElementById("builds").hidden = !wanted.length;
    document.querySelector("#builds tbody").replaceChildren(...wanted.slice(0, most).map(row));
    const more = document.getElementById("more");
    more.replaceChildren();
    if (wanted.length > most) {
      const button = element("button", `Show all ${wanted.length}`);
      button.onclick = () => { most = Infinity; show(); };
      more.append(button);
    }
  }

  function say(question, rows) {
    const said = document.getElementById("said");
    const lines = question.bad.map(([, text]) => element("p", text, "complaint"));
    const running = rows.filter(({ verdict }) => verdict.runs);
    const best = running[0];
    if (!question.bad.length) {
      lines.push(element("p", best ? `Newest: ${named(best)}` : "Nothing runs", "best"));
      lines.push(element("p", `${running.length} of ${rows.length} builds run. ${best ? closest(rows, best) : reasons(rows)}`, "note"));
      lines.push(...about(question));
    }
    said.replaceChildren(...lines);
  }

  function named({ build, verdict }) {
    const cuda = build[CUDA] === null ? "for the CPU" : `with CUDA ${build[CUDA]}`;
    const how = { minor: ", by minor-version compatibility", ptx: ", compiled by the driver" }[verdict.how] || "";
    return `torch ${build[TORCH]} ${cuda} from ${build[SOURCE]}${how}`;
  }

  function closest(rows, best) {
    const first = rows.find(({ verdict }) => verdict.runs === false);
    if (!first || compare(best.build[TORCH], first.build[TORCH]) > 0) return "";
    return `Not torch ${first.build[TORCH]} with CUDA ${first.build[CUDA]}: ${first.verdict.why}.`;
  }

  function reasons(rows) {
    const counted = new Map();
    for (const { verdict } of rows) counted.set(verdict.why, (counted.get(verdict.why) || 0) + 1);
    const most = [...counted].sort(([, a], [, b]) => b - a).slice(0, 3);
    return most.map(([why, count]) => `${count}: ${why}.`).join(" ");
  }

  function about({ told, device, driver }) {
    const lines = [];
    if (device !== null) {
      const card = facts.devices[device];
      const open = card.module === "open" ? "; it works only with the open kernel module" : "";
      lines.push(element("p", `${card.name}, compute capability ${card.capability}${card.jetson ? ", Jetson" : ""}${open}.`, "note"));
    }
    if (driver !== null) {
      const [, , eol] = facts.branches.filter(([major]) => major <= parts(driver)[0]).pop() || [];
      const ended = eol ? `; fixes for its branch ${eol < facts.dated ? "ended" : "end"} ${eol}` : "";
      lines.push(element("p", `Driver ${driver} speaks CUDA ${spoken(facts, driver) || "(unknown)"}${ended}.`, "note"));
    }
    if (driver !== null && told.gpu && Object.keys(facts.cards).includes(told.gpu)) {
      const command = element("p", "Ask for the choice and its reasons: ", "note");
      command.append(element("code", `envforge plan SPEC --machine '{driver: "${driver}", gpus: ["${told.gpu}"], subdir: ${told.subdir}}'`));
      lines.push(command);
    }
    return lines;
  }

  function row({ build, verdict }) {
    const line = document.createElement("tr");
    const pythons = build[PYTHONS].length > 1 ? `${build[PYTHONS][0]}–${build[PYTHONS].at(-1)}` : build[PYTHONS].join("");
    const kind = verdict.runs === false ? "no" : verdict.how === "native" || verdict.how === "code" || verdict.how === "cpu" ? "yes" : "some";
    const mark = verdict.runs === false ? "✗ " : verdict.runs === null ? "? " : "✓ ";
    const unsure = build[SURE] === "inferred" ? " (inferred)" : "";
    const cells = [build[TORCH], build[CUDA] || "CPU", `${build[SOURCE]} ${build[VARIANT]}`, pythons, build[FLOOR] || "", build[GLIBC] || ""];
    const heads = ["torch", "CUDA", "", "Python", "driver ≥", "glibc ≥"];
    cells.forEach((text, at) => {
      const cell = element("td", text);
      if (heads[at]) cell.dataset.of = heads[at];
      line.append(cell);
    });
    line.append(element("td", mark + verdict.why + unsure, kind));
    return line;
  }

  function element(name, text, kind) {
    const made = document.createElement(name);
    made.textContent = text;
    if (kind) made.className = kind;
    return made;
  }

  restore();
  form.addEventListener("input", () => { most = 40; show(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("foot").textContent =
    `Facts of ${facts.dated}. What a build runs on is not what your other packages need: envforge plan looks at those too.`;
  show();
}
