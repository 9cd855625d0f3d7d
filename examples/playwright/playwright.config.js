import { defineConfig } from "@playwright/test";

export default defineConfig({
  globalSetup: "./setup.js",
  reporter: "list",
  use: {
    launchOptions: {
      // Debian's Chromium; without it, the one that `npx playwright install chromium` brings.
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu", "--no-proxy-server"],
    },
  },
});
