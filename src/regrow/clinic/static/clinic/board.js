// The live picture: swaps in what the server draws, counts times, and turns the page red when the server falls silent.
"use strict";
(() => {
  const pulse = document.getElementById("pulse");
  if (!pulse) return;
  const SILENT_MS = 3000;
  let offset = 0, heard = performance.now(), opened = false;
  const now = () => Date.now() + offset;
  const text = (ms) => { const s = Math.max(0, Math.round(ms / 1000)); return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`; };

  function tick() {
    for (const el of document.querySelectorAll("[data-since]")) el.textContent = text((Number(el.dataset.until) || now()) - Number(el.dataset.since));
    for (const el of document.querySelectorAll("[data-left]")) { const left = Number(el.dataset.left) - now(); el.textContent = left >= 0 ? `in ${text(left)}` : `${text(-left)} ago`; }
    for (const el of document.querySelectorAll("[data-due]")) { const at = now(); el.classList.toggle("is-late", at >= Number(el.dataset.late)); el.classList.toggle("is-due", at >= Number(el.dataset.due)); }
    const silent = performance.now() - heard > SILENT_MS;
    if (silent !== document.body.classList.contains("dead")) document.body.classList.toggle("dead", silent);
    if (silent) pulse.textContent = "NO CONNECTION to the server. What you see may be old. Watch the people.";
    else if (opened) pulse.textContent = "Live";
  }

  function swap(event) {
    const card = JSON.parse(event.data);
    const live = document.getElementById(`live-${card.chair}`);
    if (!live) return;
    const panel = document.getElementById("panel");
    if (panel) { if (live.dataset.phase !== card.phase && !panel.contains(document.activeElement)) location.reload(); return; }
    const article = document.getElementById(`chair-${card.chair}`);
    const changed = live.dataset.phase !== card.phase || (article && article.dataset.session !== card.session);
    live.innerHTML = card.html; live.className = `live ${card.severity}`; live.dataset.phase = card.phase;
    if (changed && opened && article && !article.contains(document.activeElement)) location.reload();
  }

  function open() {
    const source = new EventSource(pulse.dataset.stream);
    source.addEventListener("card", swap);
    source.addEventListener("beat", (event) => {
      const beat = JSON.parse(event.data);
      offset = beat.now - Date.now(); heard = performance.now(); opened = true;
      const place = document.getElementById("chairs");
      if (place && !place.contains(document.activeElement)) beat.order.forEach((id, i) => { const card = document.getElementById(`chair-${id}`); if (card) card.style.order = i; });
    });
    source.onerror = () => { if (source.readyState === EventSource.CLOSED) setTimeout(open, 1000); };
  }
  open();
  setInterval(tick, 250);
})();
