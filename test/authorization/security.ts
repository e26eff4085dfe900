import { existsSync, globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import { SPEC_FOLDER } from '../fuzz/openapi.ts'
import type { Operation } from './operation.ts'

interface Specified {
  readonly operationId?: string
  readonly security?: readonly Readonly<Record<string, unknown>>[]
}

function doorOf(security: Specified['security']): Operation['door'] | 'another' {
  if (security === undefined || security.length === 0) return 'none'
  const schemes = security.flatMap((one) => Object.keys(one))
  if (schemes.some((name) => name === 'appserviceAccessTokenBearer')) return 'appservice'
  if (schemes.some((name) => name !== 'accessTokenBearer')) return 'another'
  return security.some((one) => Object.keys(one).length === 0) ? 'optional' : 'user'
}

/**
 * Whom the specification's OpenAPI lets in, by operation; undefined where its files are not at hand. It knows nothing
 * of administrators: to it they are users.
 */
export function loadSecurity(): ReadonlyMap<string, Operation['door'] | 'another'> | undefined {
  if (!existsSync(SPEC_FOLDER)) return undefined
  const doors = new Map<string, Operation['door'] | 'another'>()
  for (const name of globSync('*.yaml', { cwd: SPEC_FOLDER })) {
    const text = readFileSync(path.join(SPEC_FOLDER, name), 'utf8')
    const { paths = {} } = parse(text, { maxAliasCount: -1 }) as {
      paths?: Record<string, Record<string, Specified>>
    }
    for (const { operationId, security } of Object.values(paths).flatMap((one) => Object.values(one))) {
      if (operationId !== undefined) doors.set(operationId, doorOf(security))
    }
  }
  return doors
}
