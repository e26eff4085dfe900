import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

// `COMPLEMENT_DIR=/path/to/complement npm run conformance [-- --results FILE] [--update]`: runs packages of the
// conformance suite against this checkout and compares each with what is expected of it: a test that fails though it is
// expected to pass is reported, and so is one that passes though it is not listed, and one that another server passes and
// we do not, unless a reason stands in the list. `--results` compares a run that was made before; `--update` writes the
// passes of this run into the lists.
//
// The lists are test/conformance/expected-*.json, one a package. Another package is added by a list with its name, no
// passes, and `--update`.
//
// The suite is matrix-org/complement, from a checkout of its own. The harness runs it without Docker: a folder with a
// `run` that takes `--start`, `--pkgs` and `--out`, and with the outcomes of other servers in `baselines/`, in
// HARNESS_DIR or beside this checkout.

const ROOT = path.join(import.meta.dirname, '..')
const LISTS = path.join(ROOT, 'test/conformance')
const HARNESS = process.env['HARNESS_DIR'] ?? path.join(ROOT, '../shared/harness/complement')
/** What one of these passes, we pass, or say why not. */
const REFERENCES = ['synapse.json', 'dendrite.json']

interface Expected {
  /** Such as `tests/csapi`. */
  readonly package: string
  readonly suite: string
  readonly reference: string
  /** Tests (or groups, with all below them) that a reference passes and we do not, each with the reason. */
  readonly behind: Readonly<Record<string, string>>
  readonly passes: readonly string[]
}
type Outcomes = Readonly<Record<string, 'pass' | 'fail' | 'skip'>>
type Results = Readonly<Record<string, Outcomes | undefined>>

/** The outcomes of a run by package. */
function readResults(file: string): Results {
  const { packages } = JSON.parse(readFileSync(file, 'utf8')) as {
    packages: Record<string, { tests: Outcomes }>
  }
  return Object.fromEntries(Object.entries(packages).map(([name, { tests }]) => [name, tests]))
}

function readLists(): Map<string, Expected> {
  const files = readdirSync(LISTS).filter((name) => /^expected-.*\.json$/.test(name))
  return new Map(
    files.map((name) => {
      const file = path.join(LISTS, name)
      return [file, JSON.parse(readFileSync(file, 'utf8')) as Expected]
    }),
  )
}

/** Runs the suite; its results are in the file answered. */
function runSuite(out: string, packages: readonly string[]): string {
  const suite = process.env['COMPLEMENT_DIR']
  if (suite === undefined || !existsSync(path.join(HARNESS, 'run'))) {
    console.error(
      suite === undefined
        ? 'COMPLEMENT_DIR must name a checkout of https://github.com/matrix-org/complement'
        : `there is no harness in ${HARNESS}: name its folder in HARNESS_DIR`,
    )
    process.exit(2)
  }
  const pkgs = packages.map((name) => `./${name}`).join(' ')
  const args = ['--start', path.join(LISTS, 'start'), '--pkgs', pkgs, '--parallel', '1']
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

/** What any of the references passes of a package. */
function readReference(name: string): Set<string> {
  const passes = new Set<string>()
  for (const reference of REFERENCES) {
    const file = path.join(HARNESS, 'baselines', reference)
    const outcomes = existsSync(file) ? (readResults(file)[name] ?? {}) : {}
    for (const test of Object.keys(outcomes)) if (outcomes[test] === 'pass') passes.add(test)
  }
  return passes
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
  const passes = passesOf(outcomes)
  const known = new Set(expected.passes)
  const lost = expected.passes.filter((name) => outcomes[name] !== 'pass')
  const gained = passes.filter((name) => !known.has(name))
  const behind = [...readReference(expected.package)].filter((name) => outcomes[name] !== 'pass')
  const unexplained = behind.filter((name) => reasonFor(name, expected.behind) === undefined)
  const stale = Object.keys(expected.behind).filter((name) => outcomes[name] === 'pass')
  list('expected to pass, and does not', lost)
  list('passes, and is not in the list (write it with --update)', gained)
  list('passes in a reference and not here, without a reason in the list', unexplained)
  list('has a reason for failing, and passes', stale)
  console.log(
    `\n${expected.package}: ${passes.length} pass, ${expected.passes.length} are expected to; ` +
      `${behind.length} pass in ${expected.reference} and not here, for ${new Set(Object.values(expected.behind)).size} reasons`,
  )
  return lost.length + gained.length + unexplained.length + stale.length === 0
}

function passesOf(outcomes: Outcomes): string[] {
  return Object.keys(outcomes)
    .filter((name) => outcomes[name] === 'pass')
    .toSorted()
}

const argv = process.argv.slice(2)
const given = argv.includes('--results') ? argv[argv.indexOf('--results') + 1] : undefined
const out = mkdtempSync(path.join(tmpdir(), 'causeway-conformance-'))
try {
  const lists = readLists()
  const packages = [...lists.values()].map((expected) => expected.package)
  const results = readResults(given ?? runSuite(out, packages))
  for (const [file, expected] of lists) {
    const outcomes = results[expected.package]
    if (outcomes === undefined) {
      console.log(`\n${expected.package}: the results say nothing of it`)
      process.exitCode = 1
    } else if (argv.includes('--update')) {
      const passes = passesOf(outcomes)
      writeFileSync(file, `${JSON.stringify({ ...expected, passes }, null, 2)}\n`)
      console.log(`${expected.package}: ${passes.length} passes are written`)
    } else if (!compare(outcomes, expected)) process.exitCode = 1
  }
} finally {
  rmSync(out, { recursive: true, force: true })
}
