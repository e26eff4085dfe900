import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { promisify } from 'node:util'

const ROOT = path.join(import.meta.dirname, '../..')
const run = promisify(execFile)
const MAX_OUTPUT = 32 * 1024 * 1024

/** Packages with exact versions, and what takes the place of which of theirs, as in a `package.json`. */
export interface NodeManifest {
  readonly dependencies: Readonly<Record<string, string>>
  readonly overrides?: Readonly<Record<string, string>>
}

/** Where packages are, or why they are not: to be printed with the tests that are skipped for it. */
export type NodePackages = { readonly folder: string } | { readonly skip: string }

/** npm, as the one that started this run, or the one on the path. */
function npmCommand(args: readonly string[]): [file: string, args: string[]] {
  const npm = process.env['npm_execpath']
  return npm?.endsWith('.js') === true ? [process.execPath, [npm, ...args]] : ['npm', [...args]]
}

async function build(folder: string, manifest: NodeManifest): Promise<void> {
  const scratch = `${folder}.${process.pid}`
  mkdirSync(scratch, { recursive: true })
  try {
    writeFileSync(path.join(scratch, 'package.json'), JSON.stringify({ private: true, ...manifest }))
    // A folder of its own: nothing of what the program is made of, and no script of what is installed is run.
    const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--silent']
    const [file, all] = npmCommand(args)
    await run(file, all, { cwd: scratch, maxBuffer: MAX_OUTPUT })
    // Two builds at once end in the same place, and the later one yields.
    renameSync(scratch, folder)
  } catch (error) {
    if (!existsSync(path.join(folder, 'node_modules'))) throw error
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/**
 * A folder in `.cache/` with exactly these packages of npm's, made on first use and kept: for programs that tests
 * meet, and that are not to be among the packages of this repository.
 */
export async function ensureNodePackages(name: string, manifest: NodeManifest): Promise<NodePackages> {
  const key = createHash('sha256').update(JSON.stringify(manifest)).digest('hex').slice(0, 12)
  const folder = path.join(ROOT, '.cache', 'node', `${name}-${key}`)
  if (existsSync(path.join(folder, 'node_modules'))) return { folder }
  try {
    await build(folder, manifest)
    return { folder }
  } catch (error) {
    const [line] = error instanceof Error ? error.message.split('\n') : ['']
    const names = Object.keys(manifest.dependencies).join(', ')
    return { skip: `npm packages could not be installed (${names}): ${line}` }
  }
}

/** What a package in such a folder exports. */
export function requireFrom<T>(folder: string, name: string): T {
  return createRequire(path.join(folder, 'package.json'))(name) as T
}
