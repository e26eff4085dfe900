import { suggestion } from '../nearest.ts'
import { childSchema, isRecord, type OptionSchema } from './option-schema.ts'
import { formatPath } from './problem.ts'

export interface UnknownKey {
  readonly path: readonly string[]
  readonly message: string
}

function listPaths(schema: OptionSchema, path: readonly string[] = []): string[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, child]) => [
    [...path, key],
    ...listPaths(child, [...path, key]),
  ])
}

/** The right key may be a sibling, or the same word in another section. */
function describe(root: OptionSchema, schema: OptionSchema, key: string): string {
  const near = suggestion(key, Object.keys(schema.properties ?? {}))
  if (near !== '') return `is no option.${near}`
  const elsewhere = listPaths(root).find((path) => path.at(-1) === key)
  const others = Object.keys(schema.properties ?? {})
  const [pattern] = Object.keys(schema.patternProperties ?? {})
  if (pattern !== undefined) return `is no name that may be given here (it must match ${pattern})`
  if (elsewhere !== undefined) return `is no option here. Did you mean "${formatPath(elsewhere)}"?`
  return others.length === 0 ? 'is no option' : `is no option; there are ${others.join(', ')}`
}

/** Every key that no schema names, with the nearest that one does. */
export function findUnknownKeys(root: OptionSchema, values: unknown): UnknownKey[] {
  const found: UnknownKey[] = []
  const walk = (schema: OptionSchema, value: unknown, path: readonly string[]): void => {
    if (Array.isArray(value)) {
      const { items } = schema
      if (items !== undefined) value.forEach((item, index) => walk(items, item, [...path, String(index)]))
      return
    }
    if (!isRecord(value) || (schema.properties === undefined && schema.patternProperties === undefined))
      return
    for (const [key, item] of Object.entries(value)) {
      const child = childSchema(schema, key)
      if (child === undefined) found.push({ path: [...path, key], message: describe(root, schema, key) })
      else walk(child, item, [...path, key])
    }
  }
  walk(root, values, [])
  return found
}
