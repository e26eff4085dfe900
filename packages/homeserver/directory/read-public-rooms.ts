// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3publicrooms
import { Type, type Static } from 'typebox'
import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import type { Homeserver } from '../homeserver.ts'
import { RawJson } from '../http/endpoint.ts'
import { INSTANCE_SEPARATOR } from '../third-party/read-answers.ts'
import { findPage, type DirectoryQuery } from './page.ts'

/** What somebody asks of a directory, ours or another server's. */
export type DirectoryQuestion = Omit<DirectoryQuery, 'limit'> & { readonly limit: number | undefined }

const DEFAULT_LIMIT = 100
const MAX_LIMIT = 500
const MAX_TERM = 1_000

/** The same for clients and for servers. */
export const publicRoomsBody = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 0 })),
  since: Type.Optional(Type.String()),
  filter: Type.Optional(
    Type.Object({
      generic_search_term: Type.Optional(Type.Union([Type.String({ maxLength: MAX_TERM }), Type.Null()])),
      room_types: Type.Optional(
        Type.Union([Type.Array(Type.Union([Type.String(), Type.Null()]), { maxItems: 100 }), Type.Null()]),
      ),
    }),
  ),
  include_all_networks: Type.Optional(Type.Boolean()),
  third_party_instance_id: Type.Optional(Type.String()),
})

/** Throws `M_INVALID_PARAM` for two networks at once. */
export function questionOf(body: Static<typeof publicRoomsBody>): DirectoryQuestion {
  const { include_all_networks: all = false, third_party_instance_id: instance } = body
  if (all && instance !== undefined) {
    throw invalidParam('Either include_all_networks or third_party_instance_id, not both')
  }
  return {
    term: body.filter?.generic_search_term ?? undefined,
    roomTypes: body.filter?.room_types ?? undefined,
    // Application services list rooms by protocol: an instance shows those of its protocol.
    networkId: all ? undefined : (instance ?? '').split(INSTANCE_SEPARATOR)[0]!,
    limit: body.limit,
    since: body.since,
  }
}

/** How many rooms one page has. */
export function pageSize(limit: number | undefined): number {
  return limit === undefined || limit === 0 ? DEFAULT_LIMIT : Math.min(limit, MAX_LIMIT)
}

/** A page of our own directory: rooms that were published, and nothing of others. */
export async function readPublicRooms(
  hs: Pick<Homeserver, 'publicRooms'>,
  question: DirectoryQuestion,
): Promise<RawJson> {
  const page = findPage(await hs.publicRooms.read(), { ...question, limit: pageSize(question.limit) })
  const next = page.next === undefined ? '' : `,"next_batch":"${page.next}"`
  const previous = page.previous === undefined ? '' : `,"prev_batch":"${page.previous}"`
  const chunk = page.rooms.map((room) => room.json).join(',')
  return new RawJson(`{"chunk":[${chunk}]${next}${previous},"total_room_count_estimate":${page.total}}`)
}
