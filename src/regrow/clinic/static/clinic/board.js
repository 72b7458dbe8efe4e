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
  const text = (ms) => { const s = Math.max(0, Math.round(ms / 1000)), h = Math.floor(s / 3600); return h ? `${h}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`; };

  // ---- times, counted by the server's clock
  function tick() {
    const at = now(), all = (name) => document.querySelectorAll(`[data-${name}]`);
    for (const el of all("since")) put(el, text((Number(el.dataset.until) || at) - Number(el.dataset.since)));
    for (const el of all("left")) { const left = Number(el.dataset.left) - at; put(el, left >= 0 ? text(left) : `${text(-left)} ago`); }
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

  // ---- what changed is drawn again, never under the hands of someone who types
  const wanted = new Set();
  function busy(root) {
    if (root.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")) return true;
    return Array.from(root.querySelectorAll("input:not([type=hidden]), select, textarea")).some((el) =>
      el.type === "checkbox" || el.type === "radio" ? el.checked !== el.defaultChecked : el.options ? Array.from(el.options).some((o, i) => o.selected !== o.defaultSelected && (i > 0 || el.selectedIndex > 0)) : el.value !== el.defaultValue);
  }
  async function redraw(id, url) {
    const old = document.getElementById(id);
    if (!old) return;
    if (busy(old)) { wanted.add(id); return; }
    wanted.delete(id);
    const answer = await fetch(url, { headers: { "X-Automatic": "yes" } }).catch(() => null); // no activity of a person: the idle lock goes on
    if (!answer?.ok || answer.redirected) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
    if (!fresh || document.getElementById(id) !== old) return; // an answer to an entry was drawn meanwhile: it is newer
    if (busy(old)) { wanted.add(id); return; }
    const order = old.style.order, open = [...old.querySelectorAll("details[open][id]")].map((each) => each.id);
    old.replaceWith(fresh);
    for (const each of open) { const again = document.getElementById(each); if (again) again.open = true; }
    fresh.style.order = order;
    htmx.process(fresh);
    document.dispatchEvent(new Event("regrow:drawn"));
    tick();
  }
  const panel = () => redraw("panel", pulse.dataset.panel), chair = (id) => redraw(id, pulse.dataset.chairs + id.slice("chair-".length));
  const everything = () => (document.getElementById("panel") ? panel() : document.querySelectorAll("[id^=chair-]").forEach((place) => chair(place.id)));
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-renew]")) return;
    document.querySelectorAll("#panel form").forEach((form) => form.reset());
    document.activeElement.blur();
    panel();
  });
  addEventListener("focusout", () => setTimeout(() => { for (const id of wanted) (id === "panel" ? panel() : chair(id)); }, 300));
  document.addEventListener("regrow:changed", () => { if (pulse.dataset.panel) panel(); });

  function swap(card) {
    const live = document.getElementById(`live-${card.chair}`);
    if (!live) return;
    const show = () => { live.innerHTML = card.html; live.className = `live ${card.severity}`; live.dataset.phase = card.phase; live.dataset.loud = card.loud; };
    if (document.getElementById("panel")) {
      if (card.session !== pulse.dataset.session || live.dataset.stamp === card.stamp) return;
      show();
      live.dataset.stamp = card.stamp;
      alarm();
      const note = document.getElementById("meanwhile");
      if (note && busy(document.getElementById("panel"))) note.hidden = false;
      panel();
      return;
    }
    const article = document.getElementById(`chair-${card.chair}`);
    const changed = live.dataset.phase !== card.phase || article?.dataset.session !== card.session || article?.dataset.version !== card.version;
    show();
    if (changed) chair(`chair-${card.chair}`);
    alarm();
  }
  function beat(beat) {
    regrow.ahead = Date.now() - beat.now;
    const off = Math.abs(regrow.ahead) / 1000;
    skew = off > 30 ? `. This tablet's clock is ${off < 90 ? `${Math.round(off)} s` : `${Math.round(off / 60)} min`} ${regrow.ahead > 0 ? "ahead" : "behind"}: times are kept by the server's clock; set the tablet's` : "";
    alive();
    const place = document.getElementById("chairs");
    if (place && !busy(place)) beat.order.forEach((id, i) => { const card = document.getElementById(`chair-${id}`); if (card) card.style.order = i; });
  }

  const worker = new Worker(pulse.dataset.beat);
  worker.onmessage = ({ data }) => { if (data.beat) beat(data.beat); else if (data.card) swap(data.card); else if (data.silent) dead(data.silent); tick(); };
  worker.postMessage(new URL(pulse.dataset.stream, location.href).href);
  document.addEventListener("htmx:after:swap", () => { tick(); alarm(); });
  setInterval(tick, 250);
  navigator.wakeLock?.request("screen").catch(() => {});
  document.addEventListener("visibilitychange", () => { if (!document.hidden) navigator.wakeLock?.request("screen").catch(() => {}); });
  tick();
})();
