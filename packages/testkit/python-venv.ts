import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'

const ROOT = path.join(import.meta.dirname, '../..')
const run = promisify(execFile)
const MAX_OUTPUT = 32 * 1024 * 1024

/** A Python with packages, or why there is none: to be printed with the tests that are skipped for it. */
export type PythonVenv = { readonly python: string } | { readonly skip: string }

async function build(folder: string, packages: readonly string[]): Promise<void> {
  const scratch = `${folder}.${process.pid}`
  mkdirSync(path.dirname(folder), { recursive: true })
  try {
    await run('python3', ['-m', 'venv', scratch])
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages]
    await run(path.join(scratch, 'bin/python'), pip, { maxBuffer: MAX_OUTPUT })
    // The interpreter is found beside its `pyvenv.cfg`, so that the whole folder can be moved into place; two
    // builds at once end in the same place, and the later one yields.
    renameSync(scratch, folder)
  } catch (error) {
    if (!existsSync(path.join(folder, 'bin/python'))) throw error
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/**
 * A virtual environment in `.cache/` with exactly these pinned packages (`matrix-nio==0.25.2`), made on first use
 * from PyPI and kept. Programs of the packages are run as modules (`python -m …`): scripts in `bin/` name the
 * folder in which they were installed.
 */
export async function ensurePythonVenv(name: string, packages: readonly string[]): Promise<PythonVenv> {
  const key = createHash('sha256').update(packages.join('\n')).digest('hex').slice(0, 12)
  const folder = path.join(ROOT, '.cache', 'python', `${name}-${key}`)
  const python = path.join(folder, 'bin/python')
  if (existsSync(python)) return { python }
  try {
    await build(folder, packages)
    return { python }
  } catch (error) {
    const text =
      error instanceof Error
        ? (error.message.split('\n').find((line) => line.includes('ERROR')) ?? error.message.split('\n')[0])
        : ''
    return { skip: `Python packages could not be installed (${packages.join(', ')}): ${text}` }
  }
}

if (import.meta.main) {
  const [name, ...packages] = process.argv.slice(2)
  if (name === undefined || packages.length === 0) {
    console.error('usage: python-venv.ts <name> <package==version…>')
    process.exitCode = 2
  } else {
    const made = await ensurePythonVenv(name, packages)
    if ('skip' in made) {
      console.error(made.skip)
      process.exitCode = 1
    } else console.log(made.python)
  }
}
