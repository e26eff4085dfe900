import type { TSchema } from 'typebox'

/** The parts of a schema that loading and documenting look at; TypeBox schemas are JSON Schema with annotations. */
export interface OptionSchema {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly properties?: Readonly<Record<string, OptionSchema>>
  readonly required?: readonly string[]
  readonly patternProperties?: Readonly<Record<string, OptionSchema>>
  readonly items?: OptionSchema
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly OptionSchema[]
  readonly const?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly 'x-secret'?: true
  readonly 'x-unit'?: 'bytes' | 'ms'
  readonly 'x-path'?: 'data' | 'config'
}

export type ConfigSections = Readonly<Record<string, TSchema>>

/** The whole configuration as one schema: the sections of all packages side by side. */
export function schemaOf(sections: ConfigSections): OptionSchema {
  return { type: 'object', properties: sections as Readonly<Record<string, OptionSchema>> }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The schema of `key` within an object: a named property, or the one for names the operator chooses. */
export function childSchema(schema: OptionSchema, key: string): OptionSchema | undefined {
  const named = schema.properties
  if (named !== undefined && Object.hasOwn(named, key)) return named[key]
  const free = Object.entries(schema.patternProperties ?? {}).find(([pattern]) =>
    new RegExp(pattern).test(key),
  )
  return free?.[1]
}

/** The schema at a path of keys and list indices. */
export function schemaAt(schema: OptionSchema, path: readonly string[]): OptionSchema | undefined {
  let at: OptionSchema | undefined = schema
  for (const key of path) at = at === undefined ? undefined : (childSchema(at, key) ?? at.items)
  return at
}

/**
 * Calls `each` for every value that stands in the configuration, parents first, with its schema. What `each`
 * returns takes the value's place.
 */
export function mapOptions(
  schema: OptionSchema,
  value: unknown,
  each: (schema: OptionSchema, value: unknown, path: readonly string[]) => unknown,
  path: readonly string[] = [],
): unknown {
  const mapped = each(schema, value, path)
  if (Array.isArray(mapped) && schema.items !== undefined) {
    const { items } = schema
    return mapped.map((item: unknown, index) => mapOptions(items, item, each, [...path, String(index)]))
  }
  if (!isRecord(mapped)) return mapped
  const out: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(mapped)) {
    const child = childSchema(schema, key)
    out[key] = child === undefined ? item : mapOptions(child, item, each, [...path, key])
  }
  return out
}
