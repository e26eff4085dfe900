import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'

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

function run(command: readonly string[], show: boolean): Promise<Outcome> {
  return new Promise((resolve) => {
    const [program = '', ...args] = command
    const child = spawn(program, args, {
      cwd: ROOT,
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
    '--test-timeout=1200000',
    // Clients that are not ours leave timers behind; everything of ours is disposed of by the tests themselves.
    '--test-force-exit',
    `--test-concurrency=${process.env['CAUSEWAY_TEST_CONCURRENCY'] ?? '2'}`,
    '--test-reporter=./scripts/test-reporter.ts',
    '--test-reporter-destination=stdout',
    ...files,
  ]
  return (await run([process.execPath, ...args], true)).code === 0
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
