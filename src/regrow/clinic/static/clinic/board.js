// The live picture: swaps in what the server draws, counts times, sounds alarms, and turns the page red when the server
// falls silent. A dead server must never look like calm vitals.
"use strict";
(() => {
  const pulse = document.getElementById("pulse");
  if (!pulse) return;
  const title = document.title, kept = Number(document.body.dataset.kept || 0), opened = Date.now();
  let heard = 0, skew = "";
  const now = () => Date.now() - (regrow.ahead ?? 0);
  const text = (ms) => { const s = Math.max(0, Math.round(ms / 1000)); return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`; };

  // ---- times, counted by the server's clock
  function tick() {
    for (const el of document.querySelectorAll("[data-since]")) el.textContent = text((Number(el.dataset.until) || now()) - Number(el.dataset.since));
    for (const el of document.querySelectorAll("[data-left]")) { const left = Number(el.dataset.left) - now(); el.textContent = left >= 0 ? `in ${text(left)}` : `${text(-left)} ago`; }
    for (const el of document.querySelectorAll("[data-due]")) { const at = now(); el.classList.toggle("is-late", at >= Number(el.dataset.late)); el.classList.toggle("is-due", at >= Number(el.dataset.due)); }
  }

  // ---- alive or dead
  function said(words) { if (pulse.textContent !== words) pulse.textContent = words; }
  function alive() {
    const back = document.body.classList.contains("dead");
    document.body.classList.remove("dead");
    said(`Live${skew}`);
    if (back || !heard) document.dispatchEvent(new Event("regrow:heard"));
    heard = Date.now();
    alarm();
  }
  function dead() {
    document.body.classList.add("dead");
    said(`NO CONNECTION to the server. What you see is of ${regrow.clock(heard || kept || opened)} and may be old. Watch the people.`);
    alarm();
  }

  // ---- alarms are heard and stand in the tab's title, so that a board in the background alarms too
  const button = document.getElementById("sound");
  let audio = null, sounded = 0;
  function alarm() {
    const gone = document.body.classList.contains("dead"), red = document.querySelectorAll(".live.red").length;
    document.title = gone ? `!! NO CONNECTION ${title}` : red ? `!! ${red} RED ${title}` : title;
    if ((gone || red) && audio?.state === "running" && Date.now() - sounded > 4000) { sounded = Date.now(); beep(gone ? 440 : 880); }
  }
  function beep(hertz) {
    for (const start of [0, 0.3, 0.6]) {
      const tone = audio.createOscillator(), loud = audio.createGain();
      tone.frequency.value = hertz; loud.gain.value = 0.2;
      tone.connect(loud).connect(audio.destination);
      tone.start(audio.currentTime + start); tone.stop(audio.currentTime + start + 0.18);
    }
  }
  function sound() {
    if (!button) return;
    const on = audio?.state === "running";
    button.setAttribute("aria-pressed", String(on));
    button.textContent = on ? "Alarm sound is on" : "Alarm sound is OFF: tap to hear it";
  }
  button?.addEventListener("click", async () => {
    if (audio?.state === "running") await audio.suspend();
    else { audio ??= new AudioContext(); await audio.resume(); beep(880); }
    sound();
  });
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
    const place = document.getElementById(id);
    if (!fresh || !place || busy(place)) return;
    const order = place.style.order;
    place.replaceWith(fresh);
    fresh.style.order = order;
    htmx.process(fresh);
    document.dispatchEvent(new Event("regrow:drawn"));
    tick();
  }
  const panel = () => redraw("panel", pulse.dataset.panel), chair = (id) => redraw(id, location.href);
  addEventListener("focusout", () => setTimeout(() => { for (const id of wanted) (id === "panel" ? panel() : chair(id)); }, 300));
  document.addEventListener("regrow:changed", () => { if (pulse.dataset.panel) panel(); });

  function swap(card) {
    const live = document.getElementById(`live-${card.chair}`);
    if (!live) return;
    if (document.getElementById("panel")) {
      if (live.dataset.stamp !== card.stamp) panel();
      return;
    }
    const article = document.getElementById(`chair-${card.chair}`);
    const changed = live.dataset.phase !== card.phase || article?.dataset.session !== card.session;
    live.innerHTML = card.html; live.className = `live ${card.severity}`; live.dataset.phase = card.phase;
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
  worker.onmessage = ({ data }) => { if (data.beat) beat(data.beat); else if (data.card) swap(data.card); else if (data.silent) dead(); tick(); };
  worker.postMessage(new URL(pulse.dataset.stream, location.href).href);
  document.addEventListener("htmx:after:swap", () => { tick(); alarm(); });
  setInterval(tick, 250);
  navigator.wakeLock?.request("screen").catch(() => {});
  document.addEventListener("visibilitychange", () => { if (!document.hidden) navigator.wakeLock?.request("screen").catch(() => {}); });
  tick();
})();
