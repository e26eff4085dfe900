import { globSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import path from 'node:path'

// Who may import whom. Packages: types count too, since a type ties two packages together as a value does.
// Folders of the homeserver: values only, since they meet in the types of the shared record. No cycles of values.

const ROOT = path.join(import.meta.dirname, '..')

const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  matrix: [],
  store: ['matrix'],
  homeserver: ['matrix', 'store'],
  bridges: ['matrix', 'store'],
  cli: ['matrix', 'store', 'homeserver', 'bridges'],
  testkit: ['matrix', 'store', 'homeserver', 'bridges', 'cli'],
}

/** Folders of the homeserver with a rule: what they may import of their neighbors. Others must obey `NEVER`. */
const FOLDERS: Readonly<Record<string, readonly string[]>> = {
  http: ['ops', 'limits', 'homeserver.ts', 'config.ts'],
  ops: ['http', 'config.ts'],
  // Unread counts are part of an event's own transaction; what they read of the rooms are its pure files.
  rooms: ['crypto', 'unread'],
  crypto: [],
}
/** What no folder imports: these stand at the top and are joined by the composition. */
const COMPOSITION = new Set(['server.ts', 'open-homeserver.ts'])
const TOP = new Set(['client', 'federation', 'admin', 'synapse-admin', ...COMPOSITION])
/** `http` is open only as far as the contract between it and whoever answers requests. */
const HTTP_FOR_ALL = /^packages\/homeserver\/http\/(endpoint|schemas|range|account-standing|dispatch)\.ts$/

/** Of what stands at the top, the parts that say how to speak with it: the client of other servers, forms of ids. */
const CONTRACTS =
  /^packages\/homeserver\/(federation\/(federation-client|to-client-error|ask-servers|version)|client\/(key-|media-)?schemas)\.ts$/

interface SourceFile {
  readonly name: string
  readonly isTest: boolean
  /** Repository paths that are imported, as values or at all. */
  readonly values: readonly string[]
  readonly all: readonly string[]
}

const SPECIFIER =
  /(?:^|[\n;}])\s*(?:import|export)\b[^'"`;=(]*?\bfrom\s*['"]([^'"\n]+)['"]|(?:^|\n)\s*import\s*['"]([^'"\n]+)['"]|\bimport\(\s*['"]([^'"\n]+)['"]/g

function resolveSpecifier(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('@causeway/')) return `packages/${specifier.slice('@causeway/'.length)}`
  if (!specifier.startsWith('.')) return undefined
  return path.posix.join(path.posix.dirname(from), specifier)
}

function findImports(name: string, source: string): string[] {
  const found = [...source.matchAll(SPECIFIER)].map(([, one, other]) =>
    resolveSpecifier(name, one ?? other ?? ''),
  )
  return [...new Set(found.filter((one) => one !== undefined))]
}

/** Tests, and the files that only tests import: they may join what the product keeps apart. */
const TEST_ONLY =
  /\.test\.ts$|-suite\.ts$|-worker\.ts$|\/test-[^/]*\.ts$|\/(conformance|crash|measure|journeys)\//

function readSource(name: string): SourceFile {
  const text = readFileSync(path.join(ROOT, name), 'utf8')
  const isTest = TEST_ONLY.test(name) || !name.startsWith('packages/')
  return { name, isTest, all: findImports(name, text), values: findImports(name, stripTypeScriptTypes(text)) }
}

const packageOf = (name: string): string => name.split('/')[1] ?? ''
const folderOf = (name: string): string => name.split('/')[2] ?? ''

function checkPackages(file: SourceFile): string[] {
  const own = packageOf(file.name)
  const allowed = PACKAGES[own]
  if (allowed === undefined) return [`${file.name}: the package ${own} is not in the list of packages`]
  return file.all.flatMap((target) => {
    const other = packageOf(target)
    if (!target.startsWith('packages/'))
      return [`${file.name} imports ${target}, which is outside the packages`]
    if (other === own || allowed.includes(other) || (file.isTest && other === 'testkit')) return []
    return [`${file.name} imports ${target}: ${own} may import only ${allowed.join(', ') || 'nothing'}`]
  })
}

function checkFolders(file: SourceFile): string[] {
  const own = folderOf(file.name)
  if (packageOf(file.name) !== 'homeserver' || COMPOSITION.has(own)) return []
  return file.values.flatMap((target) => {
    const other = folderOf(target)
    if (packageOf(target) !== 'homeserver' || other === own) return []
    const rule = FOLDERS[own]
    if (rule !== undefined) {
      return rule.includes(other)
        ? []
        : [`${file.name} imports ${target}: ${own} may import only ${rule.join(', ') || 'nothing'} beside it`]
    }
    // Synapse's interface for administrators stands on the client API: the same pages, the same changes.
    if (own === 'synapse-admin' && other === 'client') return []
    if (TOP.has(other) && !CONTRACTS.test(target))
      return [`${file.name} imports ${target}: nothing imports ${other} but the composition`]
    if (other === 'http' && !TOP.has(own) && !HTTP_FOR_ALL.test(target)) {
      return [`${file.name} imports ${target}: of http it may know only the contract of endpoints`]
    }
    return []
  })
}

/** Groups of files that import each other in a circle (Tarjan's strongly connected components). */
function findCycles(files: readonly SourceFile[]): string[][] {
  const edges = new Map(files.map((file) => [file.name, file.values]))
  const index = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: string[] = []
  const cycles: string[][] = []
  const visit = (name: string): void => {
    index.set(name, index.size)
    low.set(name, index.get(name)!)
    stack.push(name)
    for (const target of edges.get(name) ?? []) {
      if (!edges.has(target)) continue
      if (!index.has(target)) visit(target)
      if (stack.includes(target)) low.set(name, Math.min(low.get(name)!, low.get(target)!))
    }
    if (low.get(name) !== index.get(name)) return
    const group = stack.splice(stack.indexOf(name))
    if (group.length > 1 || (edges.get(name) ?? []).includes(name)) cycles.push(group)
  }
  for (const { name } of files) if (!index.has(name)) visit(name)
  return cycles
}

const REGISTERS = /^(it|describe|\w+Suite)\(/m
const AWAITS = /^(?!it\(|describe\()\w[^\n/]*\bawait\b/gm

/** The runner ends a file as soon as the tests that it knows are done: what is registered after a wait may never run. */
function checkLateTests(name: string): string[] {
  const text = readFileSync(path.join(ROOT, name), 'utf8')
  const first = text.search(REGISTERS)
  const isLate = first >= 0 && [...text.matchAll(AWAITS)].some(({ index }) => index > first)
  return isLate
    ? [`${name} waits at its top level after it has registered a test: wait before the first`]
    : []
}

/** Every breach of the rules, as sentences. */
export function checkImports(): string[] {
  const names = globSync(['packages/**/*.ts', 'test/**/*.ts', 'scripts/**/*.ts'], { cwd: ROOT })
  const files = names.map((name) => readSource(name.replaceAll('\\', '/')))
  const inPackages = files.filter((file) => file.name.startsWith('packages/'))
  const product = inPackages.filter((file) => !file.isTest && packageOf(file.name) !== 'testkit')
  return [
    ...inPackages.flatMap((file) =>
      file.isTest && packageOf(file.name) !== 'matrix' ? [] : checkPackages(file),
    ),
    ...product.flatMap(checkFolders),
    ...files.filter(({ name }) => name.endsWith('.test.ts')).flatMap(({ name }) => checkLateTests(name)),
    ...findCycles(files).map((group) => `these import each other in a circle: ${group.join(' → ')}`),
  ]
}

if (import.meta.main) {
  const breaches = checkImports()
  for (const breach of breaches) console.log(breach)
  if (breaches.length > 0) process.exitCode = 1
}
