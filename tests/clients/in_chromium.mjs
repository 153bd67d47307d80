// Read radiographs in headless Chromium: node in_chromium.mjs CHROMIUM URL NAMES, where the page at URL offers window.readAll and
// NAMES is JSON. Prints the readings as JSON, by name.

import { chromium } from "playwright-core";

const OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"];

const [executablePath, url, names] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: OPTIONS });
try {
  const page = await browser.newPage();
  page.on("console", (message) => console.error(message.text()));
  page.on("pageerror", (error) => console.error(String(error)));
  await page.goto(url);
  await page.waitForFunction(() => window.readAll);
  console.log(JSON.stringify(await page.evaluate((asked) => window.readAll(asked), JSON.parse(names))));
} finally {
  await browser.close();
}
