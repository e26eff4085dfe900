import { spawn } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'

// `npm run clauses -- [words] [--run] [--open]`: the clauses of the issues, for each the command that shows it and
// its last result. Words pick clauses that contain them all; `--run` runs the commands; `--open` shows only those
// that nothing shows yet.

const ROOT = path.join(import.meta.dirname, '..')

interface Clause {
  readonly id: string
  readonly clause: string
  /** A shell command that fails when the clause does not hold; absent: nothing shows it yet. */
  readonly command?: string
  /** What was seen the last time, in a line. */
  readonly result?: string
  readonly issue: string
}

interface ClauseFile {
  readonly clauses: readonly Omit<Clause, 'issue'>[]
}

function readClauses(): Clause[] {
  return globSync('docs/clauses/issue-*.yaml', { cwd: ROOT })
    .toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    .flatMap((file) => {
      const issue = /issue-(\w+)/.exec(file)?.[1] ?? ''
      const { clauses } = parse(readFileSync(path.join(ROOT, file), 'utf8')) as ClauseFile
      return clauses.map((one) => ({ ...one, issue }))
    })
}

interface Ran {
  readonly code: number
  readonly last: string
  readonly seconds: number
}

/** Several clauses may be shown by one command: it runs once. */
const ran = new Map<string, Promise<Ran>>()

function runOnce(command: string): Promise<Ran> {
  const running = ran.get(command) ?? runCommand(command)
  ran.set(command, running)
  return running
}

function runCommand(command: string): Promise<Ran> {
  const startedAt = performance.now()
  return new Promise((resolve) => {
    const child = spawn('bash', ['-c', command], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.on('close', (code) => {
      const last = output.trim().split('\n').at(-1) ?? ''
      resolve({ code: code ?? 1, last, seconds: (performance.now() - startedAt) / 1000 })
    })
  })
}

function show(one: Clause, mark: string, result: string): void {
  console.log(`${mark} ${one.issue}/${one.id}  ${one.clause}`)
  console.log(`    → ${one.command ?? '(nothing shows this yet)'}`)
  if (result !== '') console.log(`    → ${result}`)
}

const argv = process.argv.slice(2)
const words = argv.filter((word) => !word.startsWith('--')).map((word) => word.toLowerCase())
const matches = (one: Clause): boolean => {
  const text = `${one.issue}/${one.id} ${one.clause} ${one.command ?? ''}`.toLowerCase()
  return words.every((word) => text.includes(word)) && (!argv.includes('--open') || one.command === undefined)
}

const chosen = readClauses().filter(matches)
let shown = 0
let broken = 0
for (const one of chosen) {
  if (one.command === undefined) show(one, '·', one.result ?? '')
  else if (!argv.includes('--run')) {
    shown += 1
    show(one, ' ', one.result ?? 'never run')
  } else {
    const { code, last, seconds } = await runOnce(one.command)
    if (code === 0) shown += 1
    else broken += 1
    show(one, code === 0 ? '✔' : '✖', `${last} (${seconds.toFixed(1)} s)`)
  }
}
const open = chosen.length - shown - broken
console.log(
  `\n${chosen.length} clauses: ${shown} with a command${argv.includes('--run') ? ' that holds' : ''}, ${broken} that fail, ${open} open`,
)
if (broken > 0) process.exitCode = 1
