import { appendFileSync } from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { answered, type Answered } from '../packages/homeserver/ops/answered.ts'

// Loaded before every test file. Property tests draw from one seed, so that `npm test` says the same of the same
// code twice; `PROPERTY_SEED=random npm test` looks further, and prints the seed of what it finds.
const asked = process.env['PROPERTY_SEED'] ?? '1'
if (asked !== 'random') fc.configureGlobal({ seed: Number(asked) })

// Which operations a test had an answer from, one a line, a file for each process: see `operations-table.ts`.
const folder = process.env['TESTED_OPERATIONS_FOLDER']
if (folder !== undefined) {
  const file = path.join(folder, String(process.pid))
  const noted = new Set<string>()
  answered.subscribe((message) => {
    const { method, path: declared, status } = message as Answered
    const key = `${method} ${declared}`
    if (status >= 400 || noted.has(key)) return
    noted.add(key)
    appendFileSync(file, `${key}\n`)
  })
}
