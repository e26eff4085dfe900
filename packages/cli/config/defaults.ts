import { childSchema, isRecord, type OptionSchema } from './option-schema.ts'

/**
 * The value with everything filled in that was not said. A section without a default of its own consists of
 * the defaults of its options; an optional one that was not said stays away.
 */
export function fillDefaults(schema: OptionSchema, value: unknown, required = true): unknown {
  if (value === undefined || value === null) {
    if (schema.default !== undefined) return fillDefaults(schema, structuredClone(schema.default))
    if (!required || schema.properties === undefined) return undefined
    value = {}
  }
  if (Array.isArray(value)) {
    const { items } = schema
    return items === undefined ? value : value.map((item: unknown) => fillDefaults(items, item))
  }
  if (!isRecord(value)) return value
  const out: Record<string, unknown> = { ...value }
  for (const [key, child] of Object.entries(schema.properties ?? {})) {
    const filled = fillDefaults(child, value[key], isRequired(schema, key))
    if (filled === undefined) delete out[key]
    else out[key] = filled
  }
  if (schema.patternProperties === undefined) return out
  for (const key of Object.keys(value)) {
    const child = childSchema(schema, key)
    if (child !== undefined) out[key] = fillDefaults(child, value[key])
  }
  return out
}

/** The top level lists no required keys: there every section is. */
function isRequired(schema: OptionSchema, key: string): boolean {
  return schema.required === undefined || schema.required.includes(key)
}
