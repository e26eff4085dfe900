import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

// `COMPLEMENT_DIR=/path/to/complement npm run conformance [-- --results FILE] [--update]`: runs the client-server part
// of the conformance suite against this checkout and compares with test/conformance/expected-csapi.json. A test that
// fails though it is expected to pass is reported, and so is one that passes though it is not listed. `--results`
// compares a run that was made before; `--update` writes the passes of this run into the list.
//
// The suite is matrix-org/complement, from a checkout of its own. The harness runs it without Docker: a folder with a
// `run` that takes `--start`, `--pkgs` and `--out`, in HARNESS_DIR or beside this checkout.

const ROOT = path.join(import.meta.dirname, '..')
const EXPECTED = path.join(ROOT, 'test/conformance/expected-csapi.json')
const HARNESS = process.env['HARNESS_DIR'] ?? path.join(ROOT, '../shared/harness/complement')
const PACKAGE = 'tests/csapi'

interface Expected {
  readonly suite: string
  readonly reference: string
  /** Tests (or groups, with all below them) that the reference passes and we do not, each with the reason. */
  readonly behind: Readonly<Record<string, string>>
  readonly passes: readonly string[]
}
type Outcomes = Readonly<Record<string, 'pass' | 'fail' | 'skip'>>

function readOutcomes(file: string): Outcomes {
  const { packages } = JSON.parse(readFileSync(file, 'utf8')) as {
    packages: Record<string, { tests: Outcomes }>
  }
  return packages[PACKAGE]?.tests ?? {}
}

/** Runs the suite; its results are in the file answered. */
function runSuite(out: string): string {
  const suite = process.env['COMPLEMENT_DIR']
  if (suite === undefined || !existsSync(path.join(HARNESS, 'run'))) {
    console.error(
      suite === undefined
        ? 'COMPLEMENT_DIR must name a checkout of https://github.com/matrix-org/complement'
        : `there is no harness in ${HARNESS}: name its folder in HARNESS_DIR`,
    )
    process.exit(2)
  }
  const args = ['--start', path.join(ROOT, 'test/conformance/start'), '--pkgs', `./${PACKAGE}`]
  // It ends with 1 when any test fails, which some are expected to do.
  const { status, error } = spawnSync('./run', [...args, '--out', out, '--name', 'Causeway'], {
    cwd: HARNESS,
    stdio: 'inherit',
    env: process.env,
  })
  if (error !== undefined || status === null || status > 1) {
    console.error(`the harness did not run${error === undefined ? '' : `: ${error.message}`}`)
    process.exit(2)
  }
  return path.join(out, 'results.json')
}

/** The reason given for a test or for a group that it belongs to. */
function reasonFor(name: string, behind: Expected['behind']): string | undefined {
  const parts = name.split('/')
  for (let length = parts.length; length > 0; length--) {
    const reason = behind[parts.slice(0, length).join('/')]
    if (reason !== undefined) return reason
  }
  return undefined
}

function list(title: string, names: readonly string[]): void {
  if (names.length === 0) return
  console.log(`\n${title}:`)
  for (const name of names) console.log(`  ${name}`)
}

function compare(outcomes: Outcomes, expected: Expected): boolean {
  const passes = Object.keys(outcomes).filter((name) => outcomes[name] === 'pass')
  const known = new Set(expected.passes)
  const lost = expected.passes.filter((name) => outcomes[name] !== 'pass')
  const gained = passes.filter((name) => !known.has(name))
  const baseline = path.join(HARNESS, 'baselines/synapse.json')
  const reference: Outcomes = existsSync(baseline) ? readOutcomes(baseline) : {}
  const unexplained = Object.keys(reference).filter(
    (name) =>
      reference[name] === 'pass' &&
      outcomes[name] !== 'pass' &&
      reasonFor(name, expected.behind) === undefined,
  )
  const stale = Object.keys(expected.behind).filter((name) => outcomes[name] === 'pass')
  list('expected to pass, and does not', lost)
  list('passes, and is not in the list (write it with --update)', gained)
  list('passes in the reference and not here, without a reason in the list', unexplained)
  list('has a reason for failing, and passes', stale)
  const behind = Object.keys(reference).filter(
    (name) => reference[name] === 'pass' && outcomes[name] !== 'pass',
  )
  console.log(
    `\n${passes.length} pass, ${expected.passes.length} are expected to; ${behind.length} pass in ${expected.reference} and not here, ` +
      `for ${new Set(Object.values(expected.behind)).size} reasons`,
  )
  return lost.length + gained.length + unexplained.length + stale.length === 0
}

const argv = process.argv.slice(2)
const given = argv.includes('--results') ? argv[argv.indexOf('--results') + 1] : undefined
const out = mkdtempSync(path.join(tmpdir(), 'causeway-conformance-'))
try {
  const outcomes = readOutcomes(given ?? runSuite(out))
  const expected = JSON.parse(readFileSync(EXPECTED, 'utf8')) as Expected
  if (argv.includes('--update')) {
    const passes = Object.keys(outcomes)
      .filter((name) => outcomes[name] === 'pass')
      .toSorted()
    writeFileSync(EXPECTED, `${JSON.stringify({ ...expected, passes }, null, 2)}\n`)
    console.log(`${passes.length} passes are written`)
  } else if (!compare(outcomes, expected)) process.exitCode = 1
} finally {
  rmSync(out, { recursive: true, force: true })
}
