import { existsSync, globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import type { AnyEndpoint } from '../../packages/homeserver/http/endpoint.ts'

/** The parts of a JSON schema that the fuzzer makes values from; the specification's and ours alike. */
export interface Shape {
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, Shape>>
  readonly required?: readonly string[]
  readonly items?: Shape
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly example?: unknown
  readonly anyOf?: readonly Shape[]
  readonly oneOf?: readonly Shape[]
  readonly allOf?: readonly Shape[]
  readonly patternProperties?: Readonly<Record<string, Shape>>
  readonly additionalProperties?: boolean | Shape
  readonly $ref?: string
}

/** What a request to one endpoint consists of. */
export interface RequestShape {
  readonly query: Readonly<Record<string, Shape>>
  readonly body: Shape | undefined
}

interface Operation {
  readonly parameters?: readonly {
    readonly in?: string
    readonly name?: string
    readonly schema?: Shape
    readonly $ref?: string
  }[]
  readonly requestBody?: { readonly content?: Readonly<Record<string, { readonly schema?: Shape }>> }
}

/** The specification's files lie beside the checkout on development machines; they are not part of it. */
export const SPEC_FOLDER = path.join(import.meta.dirname, '../../../shared/spec/api/client-server')

/** References are followed this far: deeper than any handler looks at a field by name. */
const MAX_DEPTH = 6

const files = new Map<string, unknown>()

function readYaml(file: string): unknown {
  if (!files.has(file)) files.set(file, parse(readFileSync(file, 'utf8'), { maxAliasCount: -1 }))
  return files.get(file)
}

function followPointer(root: unknown, pointer: string): unknown {
  let at = root
  for (const part of pointer.split('/').filter((one) => one !== '')) {
    at = (at as Record<string, unknown> | undefined)?.[part.replaceAll('~1', '/').replaceAll('~0', '~')]
  }
  return at
}

function resolveReference(file: string, reference: string): { file: string; value: unknown } {
  const [target = '', pointer = ''] = reference.split('#')
  const next = target === '' ? file : path.join(path.dirname(file), target)
  if (!existsSync(next)) return { file, value: {} }
  return { file: next, value: followPointer(readYaml(next), pointer) ?? {} }
}

/** A copy of a value with its references put in place. */
function inline(file: string, value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH * 3) return value
  if (Array.isArray(value)) return value.map((one: unknown) => inline(file, one, depth + 1))
  const reference = (value as { $ref?: unknown }).$ref
  if (typeof reference === 'string') {
    const found = resolveReference(file, reference)
    return inline(found.file, found.value, depth + 2)
  }
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, inline(file, one, depth + 1)]))
}

function shapeOf(file: string, operation: Operation): RequestShape {
  const whole = inline(file, operation, 0) as Operation
  const query = (whole.parameters ?? []).flatMap((one) =>
    one.in === 'query' && one.name !== undefined ? [[one.name, one.schema ?? {}] as const] : [],
  )
  return {
    query: Object.fromEntries(query),
    body: whole.requestBody?.content?.['application/json']?.schema,
  }
}

/** `/rooms/{roomId}/send` and `/_matrix/client/v3/rooms/:roomId/send` are one path. */
const plainPath = (text: string): string =>
  text.replace(/^\/_matrix\/[a-z_]+\/(?:v\d+|r0)/, '').replaceAll(/\{[^}]*\}|:\w+/g, ':')

/** The specification's operations by method and path; undefined where its files are not at hand. */
export function loadSpecification(): ReadonlyMap<string, RequestShape> | undefined {
  if (!existsSync(SPEC_FOLDER)) return undefined
  const operations = new Map<string, RequestShape>()
  for (const name of globSync('*.yaml', { cwd: SPEC_FOLDER })) {
    const file = path.join(SPEC_FOLDER, name)
    const { paths = {} } = readYaml(file) as { paths?: Record<string, Record<string, Operation>> }
    for (const [route, methods] of Object.entries(paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        if (!/^(get|put|post|delete)$/.test(method)) continue
        operations.set(`${method.toUpperCase()} ${plainPath(route)}`, shapeOf(file, operation))
      }
    }
  }
  return operations
}

/** What the specification says about an endpoint, joined with what our own schemas say. */
export function requestShape(
  endpoint: AnyEndpoint,
  specification: ReadonlyMap<string, RequestShape> | undefined,
): RequestShape & { readonly isSpecified: boolean } {
  const specified = specification?.get(`${endpoint.method} ${plainPath(endpoint.path)}`)
  const ownBody = endpoint.body === 'stream' ? undefined : (endpoint.body as Shape | undefined)
  const ownQuery = (endpoint.query as Shape | undefined)?.properties ?? {}
  const bodies = [ownBody, specified?.body].filter((one) => one !== undefined)
  return {
    isSpecified: specified !== undefined,
    query: { ...specified?.query, ...ownQuery },
    body: bodies.length === 0 ? undefined : { allOf: bodies },
  }
}
