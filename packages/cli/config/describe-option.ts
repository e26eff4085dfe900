import { variableOf } from './environment.ts'
import type { OptionSchema } from './option-schema.ts'
import { formatPath } from './problem.ts'

/** One option as it is documented, from its declaration. */
export interface OptionDoc {
  readonly path: readonly string[]
  readonly kind: string
  readonly description: string
  /** As written in YAML; undefined when there is none. */
  readonly standard: string | undefined
  readonly variable: string | undefined
  readonly isSection: boolean
  readonly isSecret: boolean
}

function kindOf(schema: OptionSchema): string {
  if (schema.enum !== undefined) return schema.enum.join(' | ')
  if (schema['x-unit'] === 'bytes') return 'size (50M, 1G)'
  if (schema['x-unit'] === 'ms') return 'duration (30s, 5m, 7d)'
  if (schema['x-path'] !== undefined) return 'path'
  if (schema.type === 'array') return `list of ${kindOf(schema.items ?? {})}`
  if (schema.type === 'object') return schema.patternProperties === undefined ? 'section' : 'section by name'
  return schema.type ?? 'text'
}

function formatDefault(value: unknown): string | undefined {
  if (value === undefined) return undefined
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function describeOption(schema: OptionSchema, path: readonly string[]): OptionDoc {
  const inList = path.some((key) => key === '*' || key === '<name>')
  return {
    path,
    kind: kindOf(schema),
    description: schema.description ?? '',
    standard: formatDefault(schema.default),
    variable: inList ? undefined : variableOf(path),
    isSection: schema.properties !== undefined || schema.patternProperties !== undefined,
    isSecret: schema['x-secret'] === true,
  }
}

/** All options below `schema`, sections first, in the order of their declaration. */
export function listOptions(schema: OptionSchema, path: readonly string[] = []): OptionDoc[] {
  const entries = [
    ...Object.entries(schema.properties ?? {}),
    ...Object.values(schema.patternProperties ?? {}).map((child) => ['<name>', child] as const),
  ]
  return entries.flatMap(([key, child]) => {
    const own = [...path, key]
    const items = child.items?.properties === undefined ? [] : listOptions(child.items, [...own, '*'])
    return [describeOption(child, own), ...listOptions(child, own), ...items]
  })
}

/** `listeners.*.port` as people write it: `listeners[].port`. */
export function formatOptionPath(path: readonly string[]): string {
  return formatPath(path).replaceAll('.*', '[]')
}
