import { existsSync, globSync, readFileSync } from 'node:fs'
import path from 'node:path'

// Licences of everything installed, and a line in docs/dependencies.md for each direct dependency.

const ROOT = path.join(import.meta.dirname, '..')

const ALLOWED = new Set([
  'MIT',
  'MIT-0',
  'ISC',
  '0BSD',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'Unlicense',
  'Python-2.0',
  'Zlib',
])

/** Packages whose licence field does not tell, or that are allowed for a reason; each with it. */
const EXCEPTIONS: readonly { readonly name: RegExp; readonly license: string; readonly reason: string }[] = [
  {
    name: /^@img\/sharp-libvips-/,
    license: 'LGPL-3.0-or-later',
    reason: 'a shared library that sharp loads; it can be replaced by whoever receives it, as the LGPL asks',
  },
  {
    name: /^middleware-handler$/,
    license: '',
    reason: 'MIT by the LICENSE file that it ships; its package.json predates the field',
  },
  {
    name: /^humanize-number$/,
    license: '',
    reason: 'MIT by its readme; its package.json predates the field (of s3rver, in tests only)',
  },
]

interface Manifest {
  readonly name?: string
  readonly version?: string
  readonly license?: string | { readonly type?: string }
  /** As packages from before 2015 write it: any of them may be chosen. */
  readonly licenses?: readonly { readonly type?: string }[]
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const readManifest = (file: string): Manifest =>
  JSON.parse(readFileSync(path.join(ROOT, file), 'utf8')) as Manifest

/** An SPDX expression is allowed when one of the choices of an OR, or all parts of an AND, are. */
function isAllowed(expression: string): boolean {
  const plain = expression.replaceAll(/[()]/g, '').trim()
  if (/\bOR\b/.test(plain)) return plain.split(/\s+OR\s+/).some(isAllowed)
  return plain.split(/\s+AND\s+/).every((one) => ALLOWED.has(one.trim()))
}

function licenseOf({ license, licenses = [] }: Manifest): string {
  if (typeof license === 'string') return license
  return license?.type ?? licenses.map(({ type = '' }) => type).join(' OR ')
}

function checkInstalled(): string[] {
  const files = globSync('node_modules/{,.}*/package.json', { cwd: ROOT })
  const scoped = globSync('node_modules/@*/*/package.json', { cwd: ROOT })
  const nested = globSync('node_modules/**/node_modules/{*,@*/*}/package.json', { cwd: ROOT })
  return [...files, ...scoped, ...nested].flatMap((file) => {
    const manifest = readManifest(file)
    const { name = '' } = manifest
    if (name.startsWith('@causeway/') || manifest.version === undefined) return []
    const license = licenseOf(manifest)
    const exception = EXCEPTIONS.find((one) => one.name.test(name) && one.license === license)
    if (isAllowed(license) || exception !== undefined) return []
    return [`${name}: the licence ${license || '(none named)'} is not on the list of allowed ones`]
  })
}

function checkDocumented(): string[] {
  const file = path.join(ROOT, 'docs/dependencies.md')
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const documented = new Set([...text.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name))
  const { dependencies, devDependencies, optionalDependencies } = readManifest('package.json')
  const direct = Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies })
  return [
    ...direct
      .filter((name) => !documented.has(name))
      .map((name) => `docs/dependencies.md does not say why ${name} is used`),
    ...[...documented]
      .filter((name) => !direct.includes(name ?? ''))
      .map((name) => `docs/dependencies.md names ${name}, which is no dependency`),
  ]
}

/** Everything that is not in order, as sentences. */
export const checkLicenses = (): string[] => [...checkInstalled(), ...checkDocumented()]

if (import.meta.main) {
  const faults = checkLicenses()
  for (const fault of faults) console.log(fault)
  if (faults.length > 0) process.exitCode = 1
}
