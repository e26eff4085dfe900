import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { readServed } from './operations-table.ts'

// `npm test`: the gates in order, then every test. `--gates` leaves the tests out; file names or patterns run
// only those tests. A gate's output is shown when it fails.

const ROOT = path.join(import.meta.dirname, '..')
const WITHOUT_WARNINGS = '--disable-warning=ExperimentalWarning'

interface Gate {
  readonly name: string
  readonly command: readonly string[]
  /** Turns a failure that is none into a remark. */
  readonly excuse?: (output: string) => string | undefined
}

const tool = (name: string): string => path.join('node_modules', '.bin', name)
const script = (name: string, ...args: string[]): string[] => [
  process.execPath,
  WITHOUT_WARNINGS,
  `scripts/${name}`,
  ...args,
]

/** Not every registry offers the audit endpoint; where there is none, that is said and nothing is claimed. */
function excuseAudit(output: string): string | undefined {
  const absent =
    /ENOAUDIT|audit endpoint|404 Not Found|405|501|ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT/i.test(output)
  return absent && !/"vulnerabilities": \{\s*"[^"]/.test(output)
    ? 'the registry offers no audit; nothing was checked'
    : undefined
}

const GATES: readonly Gate[] = [
  { name: 'format', command: [tool('oxfmt'), '--check', '.'] },
  { name: 'lint', command: [tool('oxlint'), '--type-aware', '--deny-warnings'] },
  { name: 'types', command: [tool('tsc'), '-p', 'tsconfig.json'] },
  { name: 'imports', command: script('check-imports.ts') },
  { name: 'licences', command: script('check-licenses.ts') },
  { name: 'docs', command: script('generate-docs.ts', '--check') },
  { name: 'audit', command: ['npm', 'audit', '--json', '--audit-level=high'], excuse: excuseAudit },
]

interface Outcome {
  readonly code: number
  readonly output: string
}

function run(command: readonly string[], show: boolean, env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const [program = '', ...args] = command
    const child = spawn(program, args, {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ['ignore', show ? 'inherit' : 'pipe', show ? 'inherit' : 'pipe'],
    })
    let output = ''
    child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.on('error', (error) => resolve({ code: 1, output: error.message }))
    child.on('close', (code) => resolve({ code: code ?? 1, output }))
  })
}

async function runGate(gate: Gate): Promise<boolean> {
  const startedAt = performance.now()
  const { code, output } = await run(gate.command, false)
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  const remark = code === 0 ? undefined : gate.excuse?.(output)
  const passed = code === 0 || remark !== undefined
  console.log(`${passed ? '✔' : '✖'} ${gate.name} (${seconds} s)${remark === undefined ? '' : `: ${remark}`}`)
  if (!passed) console.log(output.trimEnd().replaceAll(/^/gm, '    '))
  return passed
}

async function runTests(patterns: readonly string[]): Promise<boolean> {
  const files =
    patterns.length > 0 ? patterns : ['packages/**/*.test.ts', 'test/**/*.test.ts', 'scripts/**/*.test.ts']
  const args = [
    WITHOUT_WARNINGS,
    '--import=./scripts/test-setup.ts',
    '--test',
    '--test-timeout=600000',
    // Clients that are not ours leave timers behind; everything of ours is disposed of by the tests themselves.
    '--test-force-exit',
    `--test-concurrency=${process.env['CAUSEWAY_TEST_CONCURRENCY'] ?? '2'}`,
    '--test-reporter=./scripts/test-reporter.ts',
    '--test-reporter-destination=stdout',
    ...files,
  ]
  if (patterns.length > 0) return (await run([process.execPath, ...args], true)).code === 0
  const folder = mkdtempSync(path.join(tmpdir(), 'causeway-answered-'))
  try {
    const { code } = await run([process.execPath, ...args], true, { TESTED_OPERATIONS_FOLDER: folder })
    return compareTested(folder) && code === 0
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Whether every operation that docs/conformance.md calls tested had an answer in this run. */
function compareTested(folder: string): boolean {
  const lines = readdirSync(folder).flatMap((name) =>
    readFileSync(path.join(folder, name), 'utf8').split('\n'),
  )
  const tested = new Set(lines.filter((line) => line !== ''))
  const served = Object.entries(readServed())
  const unshown = served.filter(([key, one]) => one.tested && !tested.has(key)).map(([key]) => key)
  const untold = served.filter(([key, one]) => !one.tested && tested.has(key)).map(([key]) => key)
  if (unshown.length > 0)
    console.log(`docs/conformance.md calls these tested, and no test had an answer: ${unshown.join(', ')}`)
  if (untold.length > 0) {
    const file = path.join(ROOT, 'data', 'tested-operations.txt')
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(file, [...tested].toSorted().join('\n'))
    console.log(`tested, and docs/conformance.md does not say so: ${untold.join(', ')}`)
    console.log(`  npm run docs -- --tested ${path.relative(ROOT, file)}`)
  }
  return unshown.length === 0
}

const argv = process.argv.slice(2)
const patterns = argv.filter((word) => !word.startsWith('--'))
let passed = true
if (patterns.length === 0) {
  console.log('Gates')
  for (const gate of GATES) passed = (await runGate(gate)) && passed
}
if (!argv.includes('--gates')) {
  if (!existsSync(path.join(ROOT, '..', 'shared', 'spec')))
    console.log('(no ../shared/spec beside the checkout)')
  console.log('\nTests')
  passed = (await runTests(patterns)) && passed
}
if (!passed) process.exitCode = 1
