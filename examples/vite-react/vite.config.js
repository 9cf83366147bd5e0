import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// Where library.py runs. Pages, authority and API are one origin to the browser, so that cookies and passkeys fit: Vite's.
const backend = process.env.BACKEND ?? 'http://localhost:8000';

export default defineConfig({
  plugins: [react()],
  server: {
    host: 'localhost',
    port: 5173,
    strictPort: true, // deputize.toml says it
    proxy: { '/deputize': backend, '/.well-known': backend, '/api': backend },
    fs: { allow: ['.', '../../js'] }, // only here, where the package is not installed from a registry, but lies beside
  },
});
