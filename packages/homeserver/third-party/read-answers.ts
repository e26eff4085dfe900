import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import { isUserId } from '@causeway/matrix/ids/user-id.ts'
import { parseRoomAlias } from '@causeway/matrix/ids/room-alias.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'

// Services are trusted to be ours, and not to be free of faults: what is of another form than it should is left out,
// so that no client meets it.

/** Between the protocol and the network in the id of an instance. No protocol's name holds it. */
export const INSTANCE_SEPARATOR = '|'

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : ''
}

function textsIn(value: JsonValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []
}

function fieldTypesIn(value: JsonValue | undefined): JsonObject {
  const types = isJsonObject(value) ? Object.entries(value) : []
  return Object.fromEntries(
    types.flatMap(([name, type]) =>
      isJsonObject(type)
        ? [[name, { regexp: textOf(type['regexp']), placeholder: textOf(type['placeholder']) }]]
        : [],
    ),
  )
}

function instanceOf(protocol: string, value: JsonValue): JsonObject[] {
  if (!isJsonObject(value) || typeof value['network_id'] !== 'string') return []
  const { network_id: networkId, desc, icon, fields } = value
  return [
    {
      desc: typeof desc === 'string' ? desc : networkId,
      network_id: networkId,
      instance_id: `${protocol}${INSTANCE_SEPARATOR}${networkId}`,
      fields: isJsonObject(fields) ? fields : {},
      ...(typeof icon === 'string' ? { icon } : {}),
    },
  ]
}

/** What services say of one protocol, as one: the first describes it, and each has networks of its own. */
export function joinProtocols(protocol: string, answers: readonly JsonValue[]): JsonObject | undefined {
  const all = answers.filter((one) => isJsonObject(one))
  const [first] = all
  if (first === undefined) return undefined
  return {
    user_fields: textsIn(first['user_fields']),
    location_fields: textsIn(first['location_fields']),
    icon: textOf(first['icon']),
    field_types: fieldTypesIn(first['field_types']),
    instances: all.flatMap(({ instances }) =>
      (Array.isArray(instances) ? instances : []).flatMap((one) => instanceOf(protocol, one)),
    ),
  }
}

/** Users or rooms that services found. */
export function joinFound(about: 'user' | 'location', answers: readonly JsonValue[]): JsonObject[] {
  return answers
    .flatMap((answer) => (Array.isArray(answer) ? answer : []))
    .filter((one) => isJsonObject(one))
    .flatMap((one): JsonObject[] => {
      const { protocol, fields, userid, alias } = one
      if (typeof protocol !== 'string' || !isJsonObject(fields)) return []
      if (about === 'user') return isUserId(userid) ? [{ userid, protocol, fields }] : []
      const isAlias = typeof alias === 'string' && parseRoomAlias(alias) !== undefined
      return isAlias ? [{ alias, protocol, fields }] : []
    })
}
