// The service worker: the clinic's own files and the board and session pages as last seen, so that a reload without network
// still shows them. VERSION and FILES stand in front, put there by the server. It never answers for anything that is sent.
"use strict";
/* global VERSION, FILES */
const OWN = `files-${VERSION}`, PAGES = "pages";
const KEPT = /^\/(board|sessions\/[0-9a-f]{24})$/;
const PATIENCE_MS = 5000;

self.addEventListener("install", (event) => event.waitUntil(caches.open(OWN).then((cache) => cache.addAll(FILES)).then(() => self.skipWaiting())));
self.addEventListener("activate", (event) => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name !== OWN && name !== PAGES) await caches.delete(name);
  await self.clients.claim();
})()));

self.addEventListener("fetch", (event) => {
  const { request } = event, url = new URL(request.url);
  if (url.origin !== location.origin) return;
  if (url.pathname === "/sign-out" || url.pathname.startsWith("/enter/")) event.waitUntil(caches.delete(PAGES)); // the next person sees nothing of the last
  if (request.method !== "GET") return;
  if (url.pathname.startsWith("/static/")) event.respondWith(caches.match(request).then((found) => found ?? fetch(request)));
  else if (request.mode === "navigate") event.respondWith(page(request, url));
});

async function page(request, url) {
  const cache = await caches.open(PAGES), mine = KEPT.test(url.pathname), kept = mine ? await cache.match(request) : null;
  try {
    const answer = await (kept ? Promise.race([fetch(request), silence()]) : fetch(request));
    if (mine && answer.ok && !answer.redirected) await cache.put(request, await dated(answer.clone()));
    if (answer.redirected && new URL(answer.url).pathname.startsWith("/accounts/login")) await caches.delete(PAGES);
    return answer;
  } catch {
    return kept ?? offline();
  }
}
const silence = () => new Promise((_, no) => setTimeout(() => no(new Error("silence")), PATIENCE_MS));
// The page as it is kept: marked with the moment it was seen.
async function dated(answer) {
  const text = (await answer.text()).replace("<body ", `<body data-kept="${Date.now()}" `);
  return new Response(text, { headers: answer.headers });
}
function offline() {
  const text = '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>No connection</title><link rel="stylesheet" href="/static/clinic/site.css"></head><body class="dead"><main><h1>No connection to the server</h1><p>This page was not kept on this tablet. <a href="/board">The board as last seen</a></p></main></body></html>';
  return new Response(text, { status: 503, headers: { "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": "default-src 'self'" } });
}
