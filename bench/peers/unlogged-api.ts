/** The same server without logging: an operation gets its identity and is forgotten. */
import { serve } from './serve.js';

await serve(() => ({ keep: async () => undefined, close: async () => undefined }));
