// Makes one bundle of the program: `npm start` runs it, since a few files start several times faster than some
// fifteen hundred, and take a third less memory. Plain JavaScript for any Node from 20 on. The source stays what
// is developed, tested and debugged; a bundle is made anew when any of it has changed.
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const FOLDER = join(ROOT, '.cache/bundle')
/** A server that runs goes on loading from its own bundle after the source has changed. */
const KEPT = 3
const COMMANDS = join(ROOT, 'packages/homeserver/admin/commands')

function sourceFiles(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.(ts|sql)$/.test(entry.name) && !entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort()
}

/** Names what the bundle was made of: every source file with its time and size, the versions of all packages, and how. */
function stampOf(files) {
  const hash = createHash('sha256')
  for (const file of ['package-lock.json', 'scripts/bundle.mjs']) hash.update(readFileSync(join(ROOT, file)))
  for (const file of files) {
    const { mtimeMs, size } = statSync(file)
    hash.update(`${relative(ROOT, file)}\0${mtimeMs}\0${size}\0`)
  }
  return hash.digest('hex')
}

/** Entry points by the names that `packages/store/db/program-files.ts` looks for, and all administrative commands. */
function entryPoints() {
  const threads = join(ROOT, 'packages/store/db')
  return {
    causeway: join(ROOT, 'packages/cli/main.ts'),
    'sqlite-writer': join(threads, 'writer/sqlite-worker.ts'),
    'postgres-writer': join(threads, 'writer/postgres-worker.ts'),
    'sqlite-reader': join(threads, 'reader/sqlite-reader-worker.ts'),
    'admin-commands': 'admin-commands',
  }
}

function commandNames() {
  return readdirSync(COMMANDS)
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => file.slice(0, -3))
}

/**
 * The administrative commands as one entry point. As thirty of them they would part the program into as many pieces
 * as there are sets of commands that use something, and each of those is a file to find, read and link at the start.
 */
const ADMIN_COMMANDS = {
  name: 'admin-commands',
  setup(build) {
    build.onResolve({ filter: /^admin-commands$/ }, () => ({
      path: 'admin-commands',
      namespace: 'admin-commands',
    }))
    build.onLoad({ filter: /.*/, namespace: 'admin-commands' }, () => ({
      contents: commandNames()
        .map((name, at) => `export { command as command${at} } from ${JSON.stringify(`./${name}.ts`)}`)
        .join('\n'),
      resolveDir: COMMANDS,
    }))
  },
}

/** The files that `load-commands.ts` looks for, one a command. */
function writeCommandFiles(folder) {
  mkdirSync(join(folder, 'commands'))
  for (const [at, name] of commandNames().entries()) {
    const text = `export { command${at} as command } from '../admin-commands.mjs'\n`
    writeFileSync(join(folder, 'commands', `${name}.mjs`), text)
  }
}

/** The newest bundle has a name that does not change. */
function pointTo(folder) {
  const link = join(FOLDER, 'current')
  const made = `${link}.${process.pid}`
  rmSync(made, { force: true })
  symlinkSync(folder, made)
  renameSync(made, link)
}

function forgetOld() {
  const folders = readdirSync(FOLDER, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  const byAge = folders
    .map(({ name }) => ({ path: join(FOLDER, name), time: statSync(join(FOLDER, name)).mtimeMs }))
    .sort((a, b) => b.time - a.time)
  for (const { path } of byAge.slice(KEPT)) rmSync(path, { recursive: true, force: true })
}

/** Makes the bundle unless it is up to date; resolves with the file to run. */
export async function ensureBundle(say = () => undefined) {
  const stamp = stampOf(sourceFiles(join(ROOT, 'packages'))).slice(0, 16)
  const folder = join(FOLDER, stamp)
  if (!existsSync(folder)) await makeBundle(folder, say)
  pointTo(stamp)
  return join(folder, 'causeway.mjs')
}

/**
 * An `import` of `node:http` reads every name it exports, and reading `WebSocket` loads the whole of Node's fetch:
 * 16 MB and a tenth of the start. The same module without the names is had by a call.
 */
const LEAN_HTTP = {
  name: 'lean-http',
  setup(build) {
    build.onResolve({ filter: /^node:http$/ }, () => ({ path: 'node:http', namespace: 'lean-http' }))
    build.onLoad({ filter: /.*/, namespace: 'lean-http' }, () => ({
      contents: "module.exports = process.getBuiltinModule('node:http')",
    }))
  },
}

async function makeBundle(folder, say) {
  const startedAt = Date.now()
  const { build } = await import('esbuild')
  const made = `${folder}.${process.pid}`
  rmSync(made, { recursive: true, force: true })
  await build({
    entryPoints: entryPoints(),
    outdir: made,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node26',
    // Native code stays in node_modules, and so does what few servers use and none should wait for.
    external: ['sharp', '@aws-sdk/client-s3'],
    plugins: [LEAN_HTTP, ADMIN_COMMANDS],
    chunkNames: 'chunk-[hash]',
    sourcemap: 'linked',
    sourcesContent: false,
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    logLevel: 'error',
    // Some dependencies are CommonJS.
    banner: {
      js: "import { createRequire as causewayRequire } from 'node:module'; const require = causewayRequire(import.meta.url);",
    },
  })
  writeCommandFiles(made)
  cpSync(join(ROOT, 'packages/store/migrations'), join(made, 'migrations'), { recursive: true })
  try {
    renameSync(made, folder)
  } catch (error) {
    // Somebody else has made the same meanwhile, and may be loading from it.
    if (!existsSync(folder)) throw error
    rmSync(made, { recursive: true, force: true })
  }
  forgetOld()
  say(`bundled in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`)
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  console.log(await ensureBundle((text) => console.error(text)))
