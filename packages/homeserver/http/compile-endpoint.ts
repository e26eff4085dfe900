import type { TSchema } from 'typebox'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { JsonValue } from '@causeway/matrix/events/pdu.ts'
import { parseJson } from '@causeway/matrix/json/parse.ts'
import { DEFAULT_MAX_BODY_BYTES } from './body.ts'
import { compileCheck } from './check.ts'
import type { AnyEndpoint } from './endpoint.ts'
import { compileParamReader, compileQueryReader } from './text-values.ts'

/** An endpoint with the readers of what it is sent, and its own index in tables of measurements. */
export interface CompiledEndpoint {
  readonly endpoint: AnyEndpoint
  readonly index: number
  readonly maxBodyBytes: number
  /** Checks and converts path parameters in place. */
  readonly readParams: (params: Record<string, unknown>) => void
  /** The checked query from the raw text behind `?`. */
  readonly readQuery: (query: string) => unknown
  /** The checked body; absent when the endpoint reads none. */
  readonly readBody?: (bytes: Uint8Array) => unknown
  /** As `readBody`, for a body that was parsed already; undefined stands for an empty one. */
  readonly checkBody?: (value: JsonValue | undefined) => unknown
}

interface ObjectParts {
  readonly properties?: Readonly<Record<string, unknown>>
  readonly required?: readonly string[]
}

/**
 * Whether an empty body may stand for `{}`: where every key is optional and named, as in `/logout` or `/join`.
 * Where the body is the content itself (an event, account data), forgetting it is a mistake worth an answer.
 */
function mayBeEmpty(schema: TSchema): boolean {
  const { properties = {}, required = [] } = schema as ObjectParts
  return Object.keys(properties).length > 0 && required.length === 0
}

function compileBodyCheck(schema: TSchema, mayLackBody: boolean): (value: JsonValue | undefined) => unknown {
  const check = compileCheck(schema, 'body')
  const emptyIsObject = mayBeEmpty(schema)
  return (value) => {
    if (value === undefined) {
      if (mayLackBody) return undefined
      if (emptyIsObject) return {}
      throw new MatrixError('M_NOT_JSON', 'This needs a JSON body')
    }
    check(value)
    return value
  }
}

function compileBody(
  schema: TSchema,
  mayLackBody: boolean,
): Required<Pick<CompiledEndpoint, 'readBody' | 'checkBody'>> {
  const checkBody = compileBodyCheck(schema, mayLackBody)
  return { checkBody, readBody: (bytes) => checkBody(parseBody(bytes)) }
}

/** The JSON of a body; undefined for an empty one. @throws MatrixError M_NOT_JSON, M_BAD_JSON */
export function parseBody(bytes: Uint8Array): JsonValue | undefined {
  return bytes.length === 0 ? undefined : parseJson(bytes)
}

function compileParams(schema: TSchema | undefined): (params: Record<string, unknown>) => void {
  if (schema === undefined) return () => undefined
  const convert = compileParamReader(schema)
  const check = compileCheck(schema, 'path')
  if (convert === undefined) return check
  return (params) => {
    convert(params)
    check(params)
  }
}

const NO_QUERY: Readonly<Record<string, never>> = Object.freeze({})

function compileQuery(schema: TSchema | undefined): (query: string) => unknown {
  if (schema === undefined) return () => NO_QUERY
  const read = compileQueryReader(schema)
  const check = compileCheck(schema, 'query')
  return (query) => {
    const value = read(query)
    check(value)
    return value
  }
}

/** Makes an endpoint ready to answer; its schemas are compiled at first use. */
export function compileEndpoint(endpoint: AnyEndpoint, index: number): CompiledEndpoint {
  const { body } = endpoint
  return {
    endpoint,
    index,
    maxBodyBytes: endpoint.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES,
    readParams: compileParams(endpoint.params),
    readQuery: compileQuery(endpoint.query),
    ...(body === undefined || body === 'stream' ? {} : compileBody(body, endpoint.mayLackBody === true)),
  }
}
