// Opens the page once for every number of threads and prints what it found as JSON: node drive.mjs CHROMIUM URL ASKED
// where ASKED is JSON with threads (a list), runs, side, radiographs and outputs.

import { chromium } from "playwright-core";

const OPTIONS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const [executablePath, url, text] = process.argv.slice(2);
const asked = JSON.parse(text);
const browser = await chromium.launch({ executablePath, args: OPTIONS });
try {
  const passes = [];
  for (const threads of asked.threads) {
    const page = await browser.newPage(); // the number of threads is fixed once WebAssembly has started on a page
    page.on("console", (message) => console.error(message.text()));
    page.on("pageerror", (error) => console.error(String(error)));
    await page.goto(url);
    passes.push({
      threads,
      ...(await page.evaluate(
        ([threads, { runs, side, radiographs, outputs }]) => window.trial(threads, runs, side, radiographs, outputs),
        [threads, asked],
      )),
    });
    await page.close();
  }
  console.log(JSON.stringify({ browser: browser.version(), passes }));
} catch (error) {
  console.error(String(error));
  process.exitCode = 1;
} finally {
  await browser.close();
}
