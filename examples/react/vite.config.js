import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The scenario allows pages of exactly this origin: http://localhost:3000.
const here = { port: 3000, strictPort: true };

export default defineConfig({ plugins: [react()], server: here, preview: here });
