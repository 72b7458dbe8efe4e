// A worker that hears the server's beat. It counts in the background too, where a page's own timers may sleep for a minute.
"use strict";
const SILENT_MS = 2500, LOOK_MS = 250, AGAIN_MS = 1000;
let url = "", source = null, heard = performance.now();

function open() {
  source?.close();
  source = new EventSource(url);
  source.addEventListener("card", (event) => postMessage({ card: JSON.parse(event.data) }));
  source.addEventListener("beat", (event) => { heard = performance.now(); postMessage({ beat: JSON.parse(event.data) }); });
}
onmessage = (event) => { url = event.data; open(); };
let told = 0, tried = 0;
setInterval(() => {
  const at = performance.now();
  if (at - heard > SILENT_MS && at - told > AGAIN_MS) { told = at; postMessage({ silent: at - heard }); }
}, LOOK_MS);
// A stream that ended, or that hangs on a network that went away without a word, is opened anew.
setInterval(() => {
  if (!url || performance.now() - heard < 2 * SILENT_MS && source.readyState !== EventSource.CLOSED || performance.now() - tried < SILENT_MS) return;
  tried = performance.now();
  open();
}, AGAIN_MS);
