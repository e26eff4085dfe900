import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'

const MAIN = path.join(import.meta.dirname, '../main.ts')
const TOLD = 'made at the start: Intl.'

/** Run before the program: tells of every object that loads the data of languages. */
const WATCH = `
for (const name of Object.getOwnPropertyNames(Intl)) {
  const made = Intl[name]
  if (typeof made !== 'function' || made.prototype === undefined) continue
  const tell = () => process.stderr.write(${JSON.stringify(TOLD)} + name + '\\n')
  Intl[name] = new Proxy(made, {
    construct(...call) { tell(); return Reflect.construct(...call) },
    apply(...call) { tell(); return Reflect.apply(...call) },
  })
}`
const watched = ['--import', `data:text/javascript,${encodeURIComponent(WATCH)}`]

// One of them was made while the program was loaded, and every idle server held 4 MB more for it.
test('nothing that needs the data of languages is made before it is asked for', async () => {
  const control = spawnSync(process.execPath, [...watched, '-e', "new Intl.Segmenter('en')"], {
    encoding: 'utf8',
  })
  assert.equal(control.stderr, `${TOLD}Segmenter\n`)

  const folder = mkdtempSync(path.join(tmpdir(), 'start-memory-'))
  const child = spawn(process.execPath, [...watched, MAIN, 'serve'], {
    env: { ...process.env, CAUSEWAY_DATA_DIR: folder, CAUSEWAY_LISTENERS: '[{host: 127.0.0.1, port: 0}]' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  try {
    const said = text(child.stderr)
    let out = ''
    for await (const part of child.stdout) if ((out += String(part)).includes('Causeway is ready')) break
    assert.match(out, /Causeway is ready/)
    const ended = once(child, 'close')
    child.kill('SIGTERM')
    await ended
    assert.doesNotMatch(await said, new RegExp(TOLD))
  } finally {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
})
