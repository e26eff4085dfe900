import { enableCompileCache } from 'node:module'
import path from 'node:path'

// Stripping types from a few hundred files costs more than half a second; compiled code is kept beside the
// packages, and where that cannot be written to, in the system's folder for temporary files.
const cache = import.meta.url.endsWith('.ts') ? '../../.cache/compile' : '../../compile'
enableCompileCache(path.join(import.meta.dirname, cache))
const { runAsProcess } = await import('./run.ts')
await runAsProcess()
