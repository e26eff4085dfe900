import type { TSchema } from 'typebox'
import { forEachQueryPair, givenTwice } from './query.ts'

/** Turns the text of a parameter into what its schema speaks of; what does not fit stays text and fails the check. */
type Convert = (text: string) => unknown

interface Parameter {
  readonly convert: Convert
  readonly many: boolean
}

interface SchemaParts {
  readonly type?: unknown
  readonly anyOf?: readonly SchemaParts[]
  readonly items?: SchemaParts
  readonly properties?: Readonly<Record<string, SchemaParts>>
}

const keepText: Convert = (text) => text
const toNumber: Convert = (text) => (/^-?\d{1,15}(\.\d{1,15})?$/.test(text) ? Number(text) : text)
const toBoolean: Convert = (text) => (text === 'true' ? true : text === 'false' ? false : text)

function converterOf(schema: SchemaParts): Convert {
  if (schema.anyOf !== undefined) {
    const kinds = schema.anyOf.map(converterOf)
    return kinds.includes(keepText) ? keepText : (kinds[0] ?? keepText)
  }
  if (schema.type === 'integer' || schema.type === 'number') return toNumber
  return schema.type === 'boolean' ? toBoolean : keepText
}

function parameterOf(schema: SchemaParts): Parameter {
  const many = schema.type === 'array'
  return { many, convert: converterOf(many ? (schema.items ?? {}) : schema) }
}

function parametersOf(schema: TSchema): Map<string, Parameter> {
  const { properties = {} } = schema as SchemaParts
  return new Map(Object.entries(properties).map(([name, part]) => [name, parameterOf(part)]))
}

/**
 * Compiles a reader of queries: text → object with the parameters that the schema names, numbers and booleans
 * converted, lists for array schemas. Others are ignored, as the specification asks. Throws M_INVALID_PARAM for
 * a parameter given twice and for broken percent-encoding.
 */
export function compileQueryReader(schema: TSchema): (query: string) => Record<string, unknown> {
  const parameters = parametersOf(schema)
  return (query) => {
    const out: Record<string, unknown> = {}
    if (query === '') return out
    forEachQueryPair(query, (name, text) => {
      const parameter = parameters.get(name)
      if (parameter === undefined) return
      const before = out[name]
      if (parameter.many) {
        if (Array.isArray(before)) before.push(parameter.convert(text))
        else out[name] = [parameter.convert(text)]
      } else if (before !== undefined) throw givenTwice(name)
      else out[name] = parameter.convert(text)
    })
    return out
  }
}

/** Compiles a reader of path parameters: converts in place those that are not text; undefined when all are. */
export function compileParamReader(schema: TSchema): ((params: Record<string, unknown>) => void) | undefined {
  const numbers = [...parametersOf(schema)].filter(([, parameter]) => parameter.convert !== keepText)
  if (numbers.length === 0) return undefined
  return (params) => {
    for (const [name, { convert }] of numbers) {
      const text = params[name]
      if (typeof text === 'string') params[name] = convert(text)
    }
  }
}
