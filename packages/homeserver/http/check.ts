import type { TSchema } from 'typebox'
import { Compile } from 'typebox/schema'
import { badJson, invalidParam, missingParam } from '@causeway/matrix/errors/matrix-error.ts'

/** Throws a MatrixError that names the field at fault unless `value` is what the schema wants. */
export type Check = (value: unknown) => void

interface Fault {
  readonly path: string
  readonly reason: string
  readonly missing: boolean
}

/** Where a value came from decides the errcode: a body, or what stands in the address. */
export type ValueSource = 'body' | 'query' | 'path'

interface SchemaError {
  readonly keyword: string
  readonly instancePath: string
  readonly params: unknown
  readonly message: string
}

/** `/m.mentions/user_ids/0` is shown as `m.mentions.user_ids[0]`. */
function readablePath(pointer: string): string {
  let out = ''
  for (const raw of pointer.split('/').slice(1)) {
    const part = raw.replaceAll('~1', '/').replaceAll('~0', '~')
    if (/^\d+$/.test(part)) out += `[${part}]`
    else out += out === '' ? part : `.${part}`
  }
  return out.length > 200 ? `${out.slice(0, 200)}…` : out
}

function missingNames(params: unknown): string[] {
  const names = (params as { requiredProperties?: unknown }).requiredProperties
  return Array.isArray(names) ? names.map(String) : []
}

function describeFault(errors: readonly SchemaError[]): Fault {
  // The deepest fault is the one the sender can act on; "matches no branch" above it says less.
  const worst = errors.reduce<SchemaError | undefined>(
    (best, error) =>
      best === undefined || error.instancePath.length > best.instancePath.length ? error : best,
    undefined,
  )
  if (worst === undefined) return { path: '', reason: 'has an unexpected form', missing: false }
  const path = readablePath(worst.instancePath)
  const absent = worst.keyword === 'required' ? missingNames(worst.params)[0] : undefined
  if (absent === undefined) return { path, reason: worst.message, missing: false }
  return { path: path === '' ? absent : `${path}.${absent}`, reason: 'is missing', missing: true }
}

function toError(source: ValueSource, fault: Fault): Error {
  if (source === 'body') {
    return badJson(fault.path === '' ? `The body ${fault.reason}` : `"${fault.path}" ${fault.reason}`)
  }
  const where = source === 'query' ? 'query parameter' : 'path parameter'
  const text = `The ${where} "${fault.path}" ${fault.reason}`
  return fault.missing ? missingParam(text) : invalidParam(text)
}

/**
 * A schema is compiled when the first value comes, since compiling those of all endpoints would take as long as the
 * rest of the start; from then on a check that passes costs well under a microsecond and allocates nothing.
 */
export function compileCheck(schema: TSchema, source: ValueSource): Check {
  let compiled: ReturnType<typeof Compile> | undefined
  return (value) => {
    compiled ??= Compile(schema)
    if (!compiled.Check(value)) throw toError(source, describeFault(compiled.Errors(value)[1]))
  }
}
