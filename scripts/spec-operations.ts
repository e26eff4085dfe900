import { globSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'

// `node scripts/bootstrap.mjs run scripts/spec-operations.ts <folder> [--check]`: lists every operation of the
// specification's OpenAPI files (the folder `data/api` of a checkout of matrix-org/matrix-spec) into
// test/conformance/operations.json. `docs/conformance.md` is made from that list and our route declarations.

const OUT = path.join(import.meta.dirname, '../test/conformance/operations.json')
const SOURCE =
  'matrix-org/matrix-spec, commit d0ba2aaef801e0134a4e5c6054a2c2f41bb55531 (Apache-2.0): data/api, version 1.19'
const APIS = ['client-server', 'server-server', 'application-service']
const METHODS = ['get', 'put', 'post', 'delete']

/** One operation as the specification declares it. */
export interface SpecOperation {
  readonly api: string
  readonly file: string
  readonly operation: string
  readonly method: string
  readonly path: string
  /** Version of the specification that added it, where it says so. */
  readonly added?: string
  readonly deprecated?: true
}

interface OpenApi {
  readonly servers?: readonly {
    readonly url: string
    readonly variables?: { readonly basePath?: { readonly default: string } }
  }[]
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Declared>>>>
}

interface Declared {
  readonly operationId?: string
  readonly deprecated?: boolean
  readonly 'x-addedInMatrixVersion'?: string
}

function listFile(folder: string, api: string, file: string): SpecOperation[] {
  const { servers = [], paths = {} } = parse(readFileSync(path.join(folder, api, file), 'utf8')) as OpenApi
  const base = servers[0]?.variables?.basePath?.default ?? ''
  return Object.entries(paths).flatMap(([below, methods]) =>
    METHODS.flatMap((method): SpecOperation[] => {
      const declared = methods[method]
      if (declared?.operationId === undefined) return []
      const added = declared['x-addedInMatrixVersion']
      return [
        {
          api,
          file,
          operation: declared.operationId,
          method: method.toUpperCase(),
          // Some have a space at the end.
          path: (base + below).trim(),
          ...(added === undefined ? {} : { added: String(added) }),
          ...(declared.deprecated === true ? { deprecated: true } : {}),
        },
      ]
    }),
  )
}

const folder = process.argv[2]
if (folder === undefined || folder.startsWith('--')) {
  console.error('usage: spec-operations.ts <data/api of a checkout of matrix-org/matrix-spec> [--check]')
  process.exit(2)
}
const operations = APIS.flatMap((api) =>
  globSync('*.yaml', { cwd: path.join(folder, api) })
    .toSorted()
    .flatMap((file) => listFile(folder, api, file)),
)
const json = `${JSON.stringify({ source: SOURCE, operations }, null, 2)}\n`
if (!process.argv.includes('--check')) writeFileSync(OUT, json)
else if (JSON.stringify(JSON.parse(readFileSync(OUT, 'utf8'))) !== JSON.stringify(JSON.parse(json))) {
  console.error('the list differs from this folder: run without --check and see the difference')
  process.exitCode = 1
}
for (const api of APIS) {
  console.log(`${api}: ${operations.filter((one) => one.api === api).length} operations`)
}
