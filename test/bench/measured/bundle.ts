import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'

/** Makes what `npm start` runs, unless it is up to date; resolves with the file to run. */
export async function ensureBundle(): Promise<string> {
  const script = path.join(import.meta.dirname, '../../../scripts/bundle.mjs')
  const { stdout } = await promisify(execFile)(process.execPath, [script])
  return stdout.trim()
}
