// The live picture: swaps in what the server draws, counts times, sounds alarms, and turns the page red when the server
// falls silent. A dead server must never look like calm vitals.
"use strict";
(() => {
  const pulse = document.getElementById("pulse");
  if (!pulse) return;
  const title = document.title, kept = Number(document.body.dataset.kept || 0), opened = Date.now();
  let heard = 0, skew = "";
  const now = () => Date.now() - (regrow.ahead ?? 0);
  const two = (n) => String(n).padStart(2, "0"), put = (el, words) => { if (el.textContent !== words) el.textContent = words; };
  const clock = (ms) => { const s = Math.max(0, Math.round(ms / 1000)), h = Math.floor(s / 3600); return h ? `${h}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`; };

  const count = (el, ms, after = "") => { put(el, clock(ms)); el.dataset.unit = `${ms >= 3599500 ? "h" : "min"}${after}`; }; // 16:10 alone reads as a time of day

  // ---- times, counted by the server's clock
  function tick() {
    const at = now(), all = (name) => document.querySelectorAll(`[data-${name}]`);
    for (const el of all("since")) count(el, (Number(el.dataset.until) || at) - Number(el.dataset.since));
    for (const el of all("left")) { const left = Number(el.dataset.left) - at; count(el, Math.abs(left), left < 0 ? " ago" : ""); }
    for (const el of all("due")) { el.classList.toggle("is-late", at >= Number(el.dataset.late)); el.classList.toggle("is-due", at >= Number(el.dataset.due)); }
    for (const el of all("from")) el.disabled = at < Number(el.dataset.from);
    for (const el of all("grow")) { // what flows: so much at a moment, so much an hour, never above the top
      const grown = Number(el.dataset.grow) + Number(el.dataset.rate) * (at - Number(el.dataset.at)) / 3600000;
      put(el, Math.min(Number(el.dataset.top), Math.max(0, grown)).toFixed(1));
    }
  }

  // ---- alive or dead
  function said(words) { if (pulse.textContent !== words) pulse.textContent = words; }
  function alive() {
    const back = document.body.classList.contains("dead");
    if (document.body.dataset.kept) { delete document.body.dataset.kept; everything(); } // drawn from the tablet's copy: no longer
    document.body.classList.remove("dead");
    said(`Live${skew}`);
    if (back || !heard) document.dispatchEvent(new Event("regrow:heard"));
    heard = Date.now();
    alarm();
  }
  function dead(ms) {
    if (!document.body.classList.contains("dead")) pulse.dataset.silent = String(Math.round(ms));
    document.body.classList.add("dead");
    said(`NO CONNECTION to the server. What you see is of ${regrow.clock(heard || kept || opened)} and may be old. Watch the people.`);
    alarm();
  }

  // ---- alarms are heard and stand in the tab's title, so that a board in the background alarms too. Red sounds every 5 s,
  // amber every 30 s; what someone has seen is silent for the minutes the clinic has set, and stays in sight.
  const button = document.getElementById("sound");
  const TONES = { dead: [440, 440, 440], red: [880, 660, 880], amber: [520] }, EVERY_MS = { dead: 4000, red: 5000, amber: 30000 };
  let audio = null, sounded = 0, before = "";
  const wants = () => { try { return localStorage.getItem("sound") === "on"; } catch { return false; } };
  function alarm() {
    const loud = [...document.querySelectorAll(".live")].map((el) => el.dataset.loud), many = (tone) => loud.filter((each) => each === tone).length;
    const red = document.querySelectorAll(".live.red").length;
    const level = document.body.classList.contains("dead") ? "dead" : many("red") ? "red" : many("amber") ? "amber" : "";
    const words = level === "dead" ? "!! NO CONNECTION " : red ? `!! ${red} RED ` : level === "amber" ? `! ${many("amber")} amber ` : "";
    if (document.title !== words + title) document.title = words + title;
    if (level !== before) { before = level; sounded = 0; }
    if (level && Date.now() - sounded > EVERY_MS[level]) {
      sounded = Date.now();
      if (wants() && level !== "amber") navigator.vibrate?.([200, 100, 200]);
      if (audio?.state === "running") beep(TONES[level]);
    }
  }
  function beep(pitches) {
    pitches.forEach((hertz, i) => {
      const tone = audio.createOscillator(), loud = audio.createGain(), start = audio.currentTime + i * 0.3;
      tone.frequency.value = hertz; loud.gain.value = 0.2;
      tone.connect(loud).connect(audio.destination);
      tone.start(start); tone.stop(start + 0.18);
    });
  }
  function sound() {
    if (!button) return;
    const on = audio?.state === "running";
    button.setAttribute("aria-pressed", String(on));
    button.classList.toggle("amber", !on);
    button.textContent = on ? "Alarm sound is on" : wants() ? "Alarm sound waits for a tap" : "Alarm sound is OFF: tap to hear it";
  }
  async function hear() { audio ??= new AudioContext(); await audio.resume(); sound(); }
  button?.addEventListener("click", async () => {
    const on = audio?.state === "running";
    try { localStorage.setItem("sound", on ? "off" : "on"); } catch { /* private browsing: for this page only */ }
    if (on) await audio.suspend(); else { await hear(); beep(TONES.red); }
    sound();
  });
  // Chosen once on this device, the sound comes back with the first tap: a browser holds it back until then.
  document.addEventListener("pointerdown", (event) => { if (button && event.target !== button && wants() && audio?.state !== "running") hear(); });
  sound();

  // ---- what changed is drawn again, never under the hands of someone who types or taps. What is wanted stays wanted until
  // it is drawn: one question at a time for each place, asked again when it failed or when something else was drawn meanwhile.
  const wanted = new Set(), late = new Set(), asked = new Set(), flying = new Set(), ASK_MS = 8000, AGAIN_MS = 1000, PRESS_MS = 2000, CLICK_MS = 350, READ_MS = 60000;
  let press = { on: null, until: 0 };
  const pressed = (root) => performance.now() < press.until && root.contains(press.on);
  function dirty(el) {
    if (el.type === "checkbox" || el.type === "radio") return el.checked !== el.defaultChecked;
    return el.options ? Array.from(el.options).some((o, i) => o.selected !== o.defaultSelected && (i > 0 || el.selectedIndex > 0)) : el.value !== el.defaultValue;
  }
  const typed = (root) => Array.from(root.querySelectorAll("input:not([type=hidden]), select, textarea")).filter(dirty);
  // A refusal, and what was typed for it, stands a minute to be read and answered.
  const unread = (root) => [...root.querySelectorAll(".problem")].some((el) => performance.now() - (el.since ??= performance.now()) < READ_MS);
  const typing = (root) => root.contains(document.activeElement) && document.activeElement.matches("input, select, textarea") || typed(root).some((el) => !("carried" in el.dataset)) || unread(root);
  const busy = (root) => pressed(root) || typing(root) || [...flying].some((ctx) => ctx.target?.id === root.id);
  // A button that is replaced or moves between the finger's down and its click loses the tap: all stands still until then.
  function down(event) { press = { on: event.target, until: performance.now() + PRESS_MS }; }
  function up() { press.until = Math.min(press.until, performance.now() + CLICK_MS); }
  const done = () => setTimeout(() => { press.until = 0; catchUp(); });
  for (const [name, then] of [["pointerdown", down], ["pointerup", up], ["pointercancel", done], ["click", done]]) addEventListener(name, then, true);
  for (const [name, then] of [["keydown", down], ["keyup", up]]) addEventListener(name, (event) => { if (event.key === " ") then(event); }, true);

  function catchUp() {
    if (pressed(document.body)) return;
    for (const chair of late) { late.delete(chair); swap(newest.get(chair)); }
    for (const id of [...wanted]) redraw(id);
  }
  async function redraw(id) {
    wanted.add(id);
    const old = document.getElementById(id);
    if (!old) wanted.delete(id);
    if (!old || asked.has(id) || busy(old)) return; // the next tick asks
    wanted.delete(id);
    asked.add(id);
    try {
      const url = id === "panel" ? pulse.dataset.panel : pulse.dataset.chairs + id.slice("chair-".length);
      const answer = await fetch(url, { headers: { "X-Automatic": "yes" }, signal: AbortSignal.timeout(ASK_MS) }); // no activity of a person: the idle lock goes on
      if (answer.redirected || answer.status < 500 && !answer.ok) return; // signed out or gone: the stream says so
      const fresh = answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
      if (!fresh) throw new Error(`no ${id}`);
      if (document.getElementById(id) !== old || busy(old)) { wanted.add(id); return; } // it may be older than what was drawn meanwhile
      const order = old.style.order, again = carry(old);
      old.replaceWith(fresh);
      const said = old.querySelector(":scope > .saved"); // that an entry was kept stays to be read until the next one
      if (said && !fresh.querySelector(":scope > .saved")) fresh.querySelector(":scope > h1, :scope > .live").after(said);
      again();
      fresh.style.order = order;
      htmx.process(fresh);
      document.dispatchEvent(new Event("regrow:drawn"));
      tick();
    } catch {
      wanted.add(id);
      await new Promise((go) => setTimeout(go, AGAIN_MS));
    } finally {
      asked.delete(id);
    }
  }
  const everything = () => { for (const place of document.querySelectorAll("#panel, #chairs > [id^=chair-]")) redraw(place.id); };
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-renew]")) return;
    const panel = document.getElementById("panel");
    for (const el of typed(panel)) el.dataset.carried = "";
    for (const el of panel.querySelectorAll(".problem")) el.since = -READ_MS;
    redraw("panel");
  });
  document.addEventListener("regrow:changed", () => { if (pulse.dataset.panel) redraw("panel"); });

  // ---- the answer to an entry is drawn when no finger is down, where the place is now, and leaves alone what else is typed
  const named = (el) => [...el.form.elements].filter((other) => other.name === el.name);
  const place = (el) => el.id || [el.form.elements.kind?.value, el.name, named(el).indexOf(el)].join(" ");
  function carry(old, sent) {
    const open = [...old.querySelectorAll("details[open][id]")].filter((each) => !sent || !each.contains(sent)).map((each) => each.id);
    const said = new Map(typed(old).filter((el) => el.form && el.form !== sent).map((el) => [place(el), el]));
    return () => {
      for (const id of open) { const again = document.getElementById(id); if (again) again.open = true; }
      for (const el of document.getElementById(old.id)?.querySelectorAll("input, select, textarea") ?? []) {
        const was = el.form && said.get(place(el));
        if (was?.type === el.type) { el.value = was.value; el.checked = was.checked; el.dataset.carried = ""; }
      }
    };
  }
  document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
    flying.add(ctx);
    const send = ctx.fetch;
    ctx.fetch = async (...asks) => {
      const answer = await send(...asks), words = await answer.text();
      answer.text = async () => { while (pressed(document.body)) await new Promise((go) => setTimeout(go, 50)); return words; };
      return answer;
    };
  });
  document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => flying.delete(ctx));
  let compare = false; // an answer may be older than the picture that came before it: the next beat compares
  document.addEventListener("htmx:before:swap", ({ detail: { ctx, tasks } }) => {
    const task = tasks.find((each) => each.type === "main"), there = task && document.getElementById(task.target?.id);
    if (!there) return;
    task.target = there; // something else may have been drawn there since the tap
    const refused = ctx.response.headers.get("Regrow-Refused"), again = carry(there, refused ? null : ctx.request.form), top = scrollY, was = there.dataset.phase;
    ctx.again = () => {
      const now = document.getElementById(there.id), phases = [was, now.dataset.phase];
      again();
      scrollTo(scrollX, top); // old and new stood there together for a moment, and the browser followed the old one down
      if (refused) beside(now, ctx.request.form);
      else if (now.id === "panel" && phases[0] !== phases[1] && !phases.includes("paused")) now.scrollIntoView(); // another screen begins
    };
  });
  // A refusal stands at the form it answers, unfolded and in sight: at the top of the page nobody would see it.
  function beside(root, sent) {
    const problem = root?.querySelector("p.problem[role=alert]"), said = (form, name) => form.elements[name]?.value;
    if (!problem) return;
    const form = [...root.querySelectorAll("form")].find((each) => ["kind", "what", "card", "step"].every((name) => said(each, name) === said(sent, name)));
    for (let fold = form?.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    form?.append(problem);
    problem.scrollIntoView({ block: "nearest" });
  }
  document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => { ctx.again?.(); compare = true; tick(); alarm(); });

  const newest = new Map();
  function swap(card) {
    newest.set(card.chair, card);
    if (pressed(document.body)) { late.add(card.chair); return; }
    const live = document.getElementById(`live-${card.chair}`), there = document.getElementById("panel");
    if (!live || live.dataset.stamp === card.stamp && there) return;
    if (there && card.session !== pulse.dataset.session) { // the chair is somebody else's: what this session was may be over
      if (there.dataset.phase !== "signed" && there.dataset.phase !== "cancelled") redraw("panel");
      return;
    }
    live.innerHTML = card.html;
    live.className = `live ${card.severity}`;
    Object.assign(live.dataset, { phase: card.phase, loud: card.loud, stamp: card.stamp });
    alarm();
    if (there) {
      const note = document.getElementById("meanwhile");
      if (note && typing(there)) note.hidden = false;
      redraw("panel");
      return;
    }
    const { dataset } = document.getElementById(`chair-${card.chair}`);
    if (dataset.phase !== card.phase || dataset.session !== card.session || dataset.version !== card.version) redraw(`chair-${card.chair}`);
  }
  function onDuty(people) {
    const said = document.getElementById("duty"), form = document.getElementById("duty-form");
    if (!said) return;
    put(said, people.map((each) => `${each.name} until ${each.until}`).join(", ") || "no prescriber: no start");
    said.className = people.length ? "" : "red";
    if (!form || pressed(form)) return;
    const [stay, leave] = form.querySelectorAll("button"), mine = people.some((each) => each.name === form.dataset.name);
    put(stay, mine ? "Stay on duty" : "I am on duty");
    leave.hidden = !mine;
  }
  function beat(beat) {
    regrow.ahead = Date.now() - beat.now;
    const off = Math.abs(regrow.ahead) / 1000;
    skew = off > 30 ? `. This tablet's clock is ${off < 90 ? `${Math.round(off)} s` : `${Math.round(off / 60)} min`} ${regrow.ahead > 0 ? "ahead" : "behind"}: times are kept by the server's clock; set the tablet's` : "";
    alive();
    if (compare) { compare = false; for (const card of newest.values()) swap(card); }
    onDuty(beat.duty);
    const place = document.getElementById("chairs");
    if (place && !busy(place)) beat.order.forEach((id, i) => { const card = document.getElementById(`chair-${id}`); if (card) card.style.order = i; });
  }

  const worker = new Worker(pulse.dataset.beat);
  worker.onmessage = ({ data }) => { if (data.beat) beat(data.beat); else if (data.card) swap(data.card); else if (data.silent) dead(data.silent); tick(); };
  worker.postMessage(new URL(pulse.dataset.stream, location.href).href);
  setInterval(() => { tick(); catchUp(); }, 250);
  navigator.wakeLock?.request("screen").catch(() => {});
  document.addEventListener("visibilitychange", () => { if (!document.hidden) navigator.wakeLock?.request("screen").catch(() => {}); });
  tick();
})();
