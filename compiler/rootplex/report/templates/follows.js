// A page that follows its file: a script beside it, asked twice a second, calls newest() with the newest
// version. Scripts are all that a page opened from a folder may load. Without it the watching has ended.
"use strict";
{
  const own = document.currentScript.dataset;
  window.newest = (version) => { if (version !== own.version) location.reload(); };
  const look = () => {
    const script = document.createElement("script");
    script.src = encodeURIComponent(own.script) + "?" + Date.now();
    script.onload = () => { script.remove(); setTimeout(look, 500); };
    script.onerror = () => script.remove();
    document.head.append(script);
  };
  look();
}
