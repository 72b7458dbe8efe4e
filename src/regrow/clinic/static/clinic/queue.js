// The tablet's queue. An entry is written into the tablet first (IndexedDB), then sent, oldest first, with its key and the
// time it was made. It leaves the queue only when the server says that it is on disk, or refuses it before a person's eyes.
"use strict";
(() => {
  const bar = document.getElementById("queue");
  if (!bar) return; // nobody who writes is signed in
  const me = bar.dataset.staff;
  const WAIT_MS = 8000, AGAIN_MS = 2000, SHOW_MS = 1000, DOUBLE_TAP_MS = 1500, FAULTS = 5;
  // Entries that move the version of a session: what waits behind them was decided knowing them.
  const STATEFUL = new Set(["rate", "pause", "resume", "stop", "dose"]);
  const ENVELOPE = new Set(["csrfmiddlewaretoken", "kind", "key", "expect", "made_at", "sent_at", "ahead_ms", "by", "device", "view", "next"]);
  const askers = new Map(); // key -> the form that waits for the answer
  const others = window.BroadcastChannel ? new BroadcastChannel("regrow-queue") : null;
  let base, why = "", draining = null, again = false;

  // ---- the tablet's own store: "waiting" by number, "refused" by key
  const done = (request) => new Promise((yes, no) => { request.onsuccess = () => yes(request.result); request.onerror = () => no(request.error); });
  function store(name, mode = "readonly") { return base.transaction(name, mode, { durability: "strict" }).objectStore(name); }
  async function write(name, change) {
    const rows = store(name, "readwrite"), kept = new Promise((yes, no) => { rows.transaction.oncomplete = yes; rows.transaction.onabort = () => no(rows.transaction.error); });
    change(rows);
    await kept;
  }
  function open() {
    const request = indexedDB.open("regrow", 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("waiting", { keyPath: "n", autoIncrement: true }).createIndex("key", "key", { unique: true });
      request.result.createObjectStore("refused", { keyPath: "key" });
    };
    return done(request);
  }
  const waiting = () => done(store("waiting").getAll());

  // ---- a form of the page gives an entry
  function described(fields) {
    const said = [...fields].filter(([name, value]) => !ENVELOPE.has(name) && value !== "");
    return [fields.get("kind"), ...said.map(([name, value]) => (name === "what" || name === "reason" ? value : `${name} ${value}`))].join(", ");
  }
  async function keep(url, fields) {
    const ahead = await waiting();
    const before = ahead.filter((entry) => entry.url === url && STATEFUL.has(entry.kind) && entry.key !== fields.get("key"));
    if (fields.get("expect")) fields.set("expect", String(Number(fields.get("expect")) + before.length));
    for (const name of ["csrfmiddlewaretoken", "sent_at"]) fields.delete(name);
    if (regrow.ahead !== null) fields.set("ahead_ms", String(Math.round(regrow.ahead)));
    fields.set("by", me);
    const entry = { key: fields.get("key"), url, kind: fields.get("kind"), body: fields.toString(), made: Number(fields.get("made_at")), by: me, name: bar.dataset.name, label: described(fields), faults: 0 };
    if (!ahead.some((other) => other.key === entry.key)) await write("waiting", (rows) => rows.add(entry)); // a double tap is one entry
    return entry;
  }
  function fresh(form) { const field = form.querySelector("input[name=key]"); if (field) field.value = regrow.key(); }
  async function submitted(form, url, request) {
    const entry = await keep(new URL(url, location.href).pathname, new URLSearchParams(request.body));
    const slow = setTimeout(show, SHOW_MS); // no answer yet: it counts as waiting
    const answer = await new Promise((resolve) => { askers.set(entry.key, { resolve, headers: request.headers }); drain(); });
    clearTimeout(slow);
    askers.delete(entry.key);
    if (answer) return answer;
    regrow.say(form, `Kept on this tablet at ${regrow.clock(entry.made)}: ${entry.label}. It goes to the server as soon as it answers.`, "saved");
    form.reset();
    setTimeout(() => fresh(form), DOUBLE_TAP_MS);
    show();
    return new Response(null, { status: 204 });
  }
  document.addEventListener("htmx:config:request", (event) => {
    const { ctx } = event.detail, form = ctx.sourceElement;
    if (base && form.matches("form[data-queue]")) ctx.fetch = (url, request) => submitted(form, url, request);
  });

  // ---- sending, oldest first; one tab of the tablet at a time
  function drain() {
    if (draining) { again = true; return draining; }
    draining = (async () => {
      do { again = false; await navigator.locks.request("regrow-queue", sendAll); } while (again);
      draining = null;
      for (const [, asker] of askers) asker.resolve(null); // no answer: it waits in the queue
      await show();
    })();
    return draining;
  }
  async function sendAll() {
    const touched = new Set();
    why = "";
    for (const entry of await waiting()) {
      if (entry.by !== me) continue;
      const asker = askers.get(entry.key), answer = await send(entry, asker);
      const settled = answer && await settle(entry, answer, asker);
      if (asker && (settled || answer?.status === 423)) asker.resolve(answer); // kept, refused or locked: the form shows it
      else if (settled) touched.add(entry.url);
      if (!settled) break;
    }
    if (touched.size) { others?.postMessage("changed"); document.dispatchEvent(new Event("regrow:changed")); }
  }
  async function send(entry, asker) {
    const fields = new URLSearchParams(entry.body);
    fields.set("sent_at", String(Date.now()));
    const headers = { ...(asker?.headers ?? { Accept: "application/json" }), "X-CSRFToken": document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] ?? "", "Content-Type": "application/x-www-form-urlencoded" };
    try {
      return await fetch(entry.url, { method: "POST", body: fields, headers, redirect: "manual", signal: AbortSignal.timeout(WAIT_MS) });
    } catch {
      why = "no connection";
      return null;
    }
  }
  // True when the entry has left the queue: the server has it on disk, or has refused it by a code.
  async function settle(entry, answer, asker) {
    const code = answer.headers.get("Regrow-Refused");
    if (answer.headers.get("Regrow-Kept") === entry.key) { await write("waiting", (rows) => rows.delete(entry.n)); return true; }
    if (answer.type === "opaqueredirect" || answer.status === 401 || code === "OTHER-PERSON") why = "signed out";
    else if (answer.status === 423) why = "locked";
    else if (code && code !== "CSRF") return refuse(entry, code, asker ? null : (await answer.json()).sentence);
    else {
      why = code === "CSRF" ? "reload" : "the server has a fault";
      if (answer.status >= 500 && entry.faults + 1 >= FAULTS) return refuse(entry, "SERVER-FAULT", "The server failed at this entry five times.");
      await write("waiting", (rows) => rows.put({ ...entry, faults: entry.faults + 1 }));
    }
    return false;
  }
  // What was refused in front of its form is seen there; what was refused later waits in the list for a decision.
  async function refuse(entry, code, sentence) {
    if (sentence !== null) await write("refused", (rows) => rows.put({ ...entry, code, sentence }));
    await write("waiting", (rows) => rows.delete(entry.n));
    return true;
  }

  // ---- what the person sees
  const WAYS = {
    "no connection": "no connection to the server", "signed out": "you are signed out: sign in again to send them",
    locked: "writing is locked: unlock to send them", reload: "reload the page to send them", "the server has a fault": "the server has a fault; trying again",
  };
  function put(tag, text, parent, more = {}) { const made = Object.assign(document.createElement(tag), more); made.textContent = text; parent.append(made); return made; }
  const many = (n) => (n === 1 ? "1 entry waits" : `${n} entries wait`);
  async function show() {
    const [all, refused] = [await waiting(), await done(store("refused").getAll())];
    const mine = all.filter((entry) => entry.by === me), theirs = all.filter((entry) => entry.by !== me);
    const opened = bar.querySelector("details")?.open;
    bar.replaceChildren();
    bar.className = `queue${refused.length ? " refused" : all.length ? " waiting" : ""}`;
    bar.dataset.count = String(all.length);
    if (!mine.length) put("span", `Offline queue: ready, ${many(0)}.`, bar);
    else put("strong", `${many(mine.length)} on this tablet, the oldest from ${regrow.clock(mine[0].made)}${why ? `: ${WAYS[why]}` : ""}.`, bar);
    if (why === "locked") put("a", "Unlock", bar, { href: `/unlock?next=${encodeURIComponent(location.pathname)}` });
    if (why === "signed out") put("a", "Sign in", bar, { href: `/accounts/login/?next=${encodeURIComponent(location.pathname)}` });
    for (const name of new Set(theirs.map((entry) => entry.name))) put("strong", ` ${many(theirs.filter((entry) => entry.name === name).length)} for ${name}, who must sign in here.`, bar);
    if (all.length) {
      const list = put("details", "", bar, { open: Boolean(opened) });
      put("summary", "What waits", list);
      const rows = put("ol", "", list);
      for (const entry of all) put("li", `${regrow.clock(entry.made)} ${entry.name}: ${entry.label}`, rows);
    }
    for (const entry of refused) {
      const row = put("p", `${entry.code} ${entry.sentence} Made at ${regrow.clock(entry.made)} by ${entry.name}: ${entry.label}. `, bar, { className: "problem" });
      row.setAttribute("role", "alert");
      put("button", "Keep it as a note", row, { type: "button", onclick: () => note(entry) });
      if (["NOT-FOUND", "FORBIDDEN"].includes(entry.code)) put("button", "It is on paper: remove", row, { type: "button", className: "quiet", onclick: () => drop(entry) });
    }
    for (const form of document.querySelectorAll("form[data-after]")) {
      const last = all.filter((entry) => entry.url === new URL(form.action).pathname && STATEFUL.has(entry.kind)).at(-1);
      form.hidden = last?.kind !== form.dataset.after;
    }
  }
  async function note(entry) {
    const text = `Made at ${new Date(entry.made).toString().slice(0, 24)} by ${entry.name} while the server was away; refused afterwards (${entry.code}): ${entry.label}`;
    await keep(entry.url, new URLSearchParams({ kind: "note", key: `${entry.key.slice(0, 56)}-note`, made_at: String(Date.now()), text: text.slice(0, 2000) }));
    await drop(entry);
    drain();
  }
  async function drop(entry) { await write("refused", (rows) => rows.delete(entry.key)); others?.postMessage("changed"); await show(); }

  // ---- start
  async function start() {
    if (!window.isSecureContext || !window.indexedDB || !navigator.serviceWorker) {
      bar.className = "queue none";
      bar.textContent = window.isSecureContext ? "No offline queue: this browser lets no page keep entries. Without connection write on paper." : "No offline queue: this page came over plain HTTP. Ask for the https:// address; until then write on paper when the connection is lost.";
      return;
    }
    base = await open();
    navigator.serviceWorker.register("/sw.js");
    navigator.storage?.persist?.();
    // A page kept by the tablet, or one gone back to, holds keys that may be used already.
    if (document.body.dataset.kept) document.querySelectorAll("form").forEach(fresh);
    addEventListener("pageshow", (event) => { if (event.persisted) document.querySelectorAll("form").forEach(fresh); });
    if (others) others.onmessage = show;
    addEventListener("online", drain);
    document.addEventListener("regrow:heard", drain);
    for (const drawn of ["htmx:after:swap", "regrow:drawn"]) document.addEventListener(drawn, () => setTimeout(show));
    setInterval(async () => { if ((await waiting()).some((entry) => entry.by === me)) drain(); }, AGAIN_MS);
    await drain();
  }
  start().catch((problem) => { bar.className = "queue none"; bar.textContent = `No offline queue: this browser refused to keep entries (${problem?.name}). Without connection write on paper.`; });
})();
