import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { childSchema, isRecord, type OptionSchema } from './option-schema.ts'

export interface SecretProblem {
  readonly path: readonly string[]
  readonly message: string
}

function readSecret(file: unknown, folder: string): string {
  if (typeof file !== 'string' || file === '') throw new TypeError('must be the path of a file')
  const text = readFileSync(resolve(folder, file), 'utf8').trim()
  if (text === '') throw new TypeError(`: the file ${file} is empty`)
  return text
}

/**
 * Replaces every `<secret>_file` by what the file holds. Relative paths are taken from `folder`. Giving both is
 * a problem, since nobody could tell which one counts.
 */
export function readSecretFiles(root: OptionSchema, values: unknown, folder: string): SecretProblem[] {
  const problems: SecretProblem[] = []
  const walk = (schema: OptionSchema, value: unknown, path: readonly string[]): void => {
    if (Array.isArray(value)) {
      const { items } = schema
      if (items !== undefined) value.forEach((item, index) => walk(items, item, [...path, String(index)]))
      return
    }
    if (!isRecord(value)) return
    for (const [key, item] of Object.entries(value)) {
      const child = childSchema(schema, key)
      if (child !== undefined && !Object.hasOwn(schema.properties ?? {}, `${key}_file`)) {
        walk(child, item, [...path, key])
      }
      if (!key.endsWith('_file')) continue
      const name = key.slice(0, -5)
      if (Object.hasOwn(schema.properties ?? {}, key) || childSchema(schema, name)?.['x-secret'] !== true)
        continue
      if (value[name] !== undefined)
        problems.push({ path: [...path, key], message: `is given beside ${name}; only one may be` })
      else replace(value, name, [...path, key])
      delete value[key]
    }
  }
  const replace = (holder: Record<string, unknown>, name: string, path: readonly string[]): void => {
    try {
      holder[name] = readSecret(holder[`${name}_file`], folder)
    } catch (error) {
      problems.push({
        path,
        message: error instanceof TypeError ? error.message : `cannot be read: ${String(error)}`,
      })
    }
  }
  walk(root, values, [])
  return problems
}
