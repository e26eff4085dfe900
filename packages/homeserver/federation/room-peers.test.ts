import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { FederationError, type FederationClient, type FederationRequest } from './federation-client.ts'
import { createRoomPeers } from './room-peers.ts'

const server = 'hs.test' as ServerName
const room = '!a/b:hs.test' as RoomId
const id = (name: string): EventId => `$${name}` as EventId

/** Answers what it is told, and keeps what it was asked. */
function recordingClient(answer: JsonObject): { client: FederationClient; asked: FederationRequest[] } {
  const asked: FederationRequest[] = []
  const client: FederationClient = {
    request: async (_destination, request) => {
      asked.push(request)
      return answer
    },
    stream: () => assert.fail('no stream was asked for'),
    heardFrom: () => undefined,
  }
  return { client, asked }
}

const peersOf = (answer: JsonObject) => {
  const { client, asked } = recordingClient(answer)
  return {
    peers: createRoomPeers(client, { load: async () => () => undefined, isAwaited: () => false }),
    asked,
  }
}

it('asks by the paths of the specification', async () => {
  const all = peersOf({
    events: [{ n: 1 }],
    pdus: [{ n: 2 }],
    auth_chain: [{ n: 3 }],
    pdu_ids: ['$p'],
    auth_chain_ids: ['$a'],
  })
  const { peers, asked } = all
  const gap = { earliest: [id('e')], latest: [id('l')], limit: 5, minDepth: 2 }
  assert.deepEqual(await peers.getMissingEvents(server, room, gap), [{ n: 1 }])
  assert.deepEqual(await peers.backfill(server, room, [id('x'), id('y')], 10), [{ n: 2 }])
  assert.deepEqual(await peers.getEvent(server, id('x')), { n: 2 })
  assert.deepEqual(await peers.getEventAuth(server, room, id('x')), [{ n: 3 }])
  assert.deepEqual(await peers.getStateIds(server, room, id('x')), { pduIds: ['$p'], authChainIds: ['$a'] })
  assert.deepEqual(await peers.getState(server, room, id('x')), { pdus: [{ n: 2 }], authChain: [{ n: 3 }] })
  assert.deepEqual(
    asked.map(({ method, path, query = [], body = null }) => [method, path, query, body]),
    [
      [
        'POST',
        '/_matrix/federation/v1/get_missing_events/!a%2Fb%3Ahs.test',
        [],
        { earliest_events: ['$e'], latest_events: ['$l'], limit: 5, min_depth: 2 },
      ],
      [
        'GET',
        '/_matrix/federation/v1/backfill/!a%2Fb%3Ahs.test',
        [
          ['v', '$x'],
          ['v', '$y'],
          ['limit', '10'],
        ],
        null,
      ],
      ['GET', '/_matrix/federation/v1/event/%24x', [], null],
      ['GET', '/_matrix/federation/v1/event_auth/!a%2Fb%3Ahs.test/%24x', [], null],
      ['GET', '/_matrix/federation/v1/state_ids/!a%2Fb%3Ahs.test', [['event_id', '$x']], null],
      ['GET', '/_matrix/federation/v1/state/!a%2Fb%3Ahs.test', [['event_id', '$x']], null],
    ],
  )
})

it('takes nothing for an answer that is none', async () => {
  const isMalformed = (error: unknown): boolean =>
    error instanceof FederationError && error.failure.kind === 'malformed'
  const { peers } = peersOf({ events: {}, pdus: [], pdu_ids: ['$p', 5], auth_chain_ids: [] })
  const gap = { earliest: [], latest: [], limit: 5, minDepth: 0 }
  await assert.rejects(peers.getMissingEvents(server, room, gap), isMalformed)
  await assert.rejects(peers.getEvent(server, id('x')), isMalformed)
  await assert.rejects(peers.getEventAuth(server, room, id('x')), isMalformed)
  await assert.rejects(peers.getStateIds(server, room, id('x')), isMalformed)
  await assert.rejects(peers.getState(server, room, id('x')), isMalformed)
})
