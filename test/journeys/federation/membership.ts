import assert from 'node:assert/strict'
import { it } from 'node:test'
import {
  PATIENCE_MS,
  agree,
  at,
  attempt,
  join,
  leave,
  seeInvite,
  seeMembership,
  seeRemoved,
  setMembership,
  talk,
} from './rooms.ts'
import type { Side } from './two-servers.ts'

/** How people of `guests` come into rooms of `hosts`, and how they go again. */
export function tellOfMembership(sides: () => readonly [hosts: Side, guests: Side]): void {
  it('an invitation shows what the room is; it is accepted, they talk, and the guest leaves', async () => {
    const [hosts, guests] = sides()
    const [hanna, gero] = [await hosts.person('hanna'), await guests.person('gero')]
    const roomId = await hanna.createRoom({ preset: 'private_chat', name: 'Maps', topic: 'of the sea' })
    await setMembership(hanna, roomId, 'invite', gero)
    const shown = await seeInvite(gero, roomId)
    const nameShown = shown.find(({ type }) => type === 'm.room.name')?.content['name']
    const inviter = shown.find(({ type, state_key: key }) => type === 'm.room.member' && key === gero.userId)
    assert.equal(nameShown, 'Maps')
    assert.equal(inviter?.sender, hanna.userId)
    await join(gero, roomId, hosts)
    await seeMembership(hanna, roomId, gero, 'join')
    await talk(hanna, gero, roomId, 'the coast')
    await agree(hanna, gero, roomId)
    await leave(gero, roomId)
    await seeMembership(hanna, roomId, gero, 'leave')
    const late = await attempt(gero, guests, 'PUT', `${at(roomId)}/send/m.room.message/late`, {
      msgtype: 'm.text',
      body: 'still here?',
    })
    assert.equal(late.status, 403)
  })

  it('an invitation is declined, and another one withdrawn', async () => {
    const [hosts, guests] = sides()
    const [hanna, gero] = [await hosts.person('hanna'), await guests.person('gero')]
    const roomId = await hanna.createRoom({ preset: 'private_chat' })
    await setMembership(hanna, roomId, 'invite', gero)
    await seeInvite(gero, roomId)
    await leave(gero, roomId)
    await seeMembership(hanna, roomId, gero, 'leave')
    await seeRemoved(gero, roomId, 0)
    let before = gero.syncs()
    await setMembership(hanna, roomId, 'invite', gero)
    await seeInvite(gero, roomId, before)
    before = gero.syncs()
    await setMembership(hanna, roomId, 'kick', gero)
    await seeRemoved(gero, roomId, before)
    const refused = await attempt(
      gero,
      guests,
      'POST',
      `/join/${encodeURIComponent(roomId)}?via=${hosts.serverName}`,
      {},
    )
    assert.equal(refused.status, 403, JSON.stringify(refused.body))
  })

  it('a guest is kicked, comes back, is banned, cannot come back, and is forgiven', async () => {
    const [hosts, guests] = sides()
    const [hanna, gero] = [await hosts.person('hanna'), await guests.person('gero')]
    const roomId = await hanna.createRoom()
    await join(gero, roomId, hosts)
    await talk(gero, hanna, roomId, 'before')
    let before = gero.syncs()
    await setMembership(hanna, roomId, 'kick', gero)
    await seeRemoved(gero, roomId, before)
    await join(gero, roomId, hosts)
    await talk(hanna, gero, roomId, 'after the kick')
    before = gero.syncs()
    await setMembership(hanna, roomId, 'ban', gero)
    await seeRemoved(gero, roomId, before)
    const path = `/join/${encodeURIComponent(roomId)}?via=${hosts.serverName}&server_name=${hosts.serverName}`
    const refused = await attempt(gero, guests, 'POST', path, {})
    assert.equal(refused.status, 403, JSON.stringify(refused.body))
    assert.equal(refused.body['errcode'], 'M_FORBIDDEN')
    await setMembership(hanna, roomId, 'unban', gero)
    await join(gero, roomId, hosts)
    await talk(hanna, gero, roomId, 'after the ban')
    await agree(hanna, gero, roomId)
  })

  it('a guest with the power for it kicks and bans on the other server', async () => {
    const [hosts, guests] = sides()
    const [hanna, henry] = [await hosts.person('hanna'), await hosts.person('henry')]
    const gero = await guests.person('gero')
    const roomId = await hanna.createRoom({
      power_level_content_override: { users: { [hanna.userId]: 100, [gero.userId]: 50 } },
      room_version: '11',
    })
    await join(henry, roomId, hosts)
    await join(gero, roomId, hosts)
    await setMembership(gero, roomId, 'kick', henry)
    await seeMembership(hanna, roomId, henry, 'leave')
    const kicked = await seeMembership(gero, roomId, henry, 'leave')
    await join(henry, roomId, hosts)
    await seeMembership(gero, roomId, henry, 'join', gero.timeline(roomId).indexOf(kicked))
    const before = henry.syncs()
    await setMembership(gero, roomId, 'ban', henry)
    await seeRemoved(henry, roomId, before)
    await seeMembership(hanna, roomId, henry, 'ban')
    await agree(hanna, gero, roomId)
  })

  it('a restricted room takes in who is in the space, and nobody else', async () => {
    const [hosts, guests] = sides()
    const hanna = await hosts.person('hanna')
    const [gero, stranger] = [await guests.person('gero'), await guests.person('stranger')]
    const space = await hanna.createRoom({ creation_content: { type: 'm.space' }, name: 'Harbour' })
    const allow = [{ type: 'm.room_membership', room_id: space }]
    const roomId = await hanna.createRoom({
      preset: 'private_chat',
      initial_state: [
        { type: 'm.room.join_rules', state_key: '', content: { join_rule: 'restricted', allow } },
      ],
    })
    const path = `/join/${encodeURIComponent(roomId)}?via=${hosts.serverName}&server_name=${hosts.serverName}`
    const refused = await attempt(stranger, guests, 'POST', path, {})
    assert.equal(refused.status, 403, JSON.stringify(refused.body))
    await join(gero, space, hosts)
    await join(gero, roomId, hosts)
    const joined = await seeMembership(hanna, roomId, gero, 'join')
    assert.equal(joined.content['join_authorised_via_users_server'], hanna.userId)
    await talk(hanna, gero, roomId, 'members only')
    await agree(hanna, gero, roomId)
  })

  it('somebody knocks, is asked in; another one is turned away', async () => {
    const [hosts, guests] = sides()
    const hanna = await hosts.person('hanna')
    const [gero, pest] = [await guests.person('gero'), await guests.person('pest')]
    const roomId = await hanna.createRoom({
      preset: 'private_chat',
      name: 'Behind the door',
      initial_state: [{ type: 'm.room.join_rules', state_key: '', content: { join_rule: 'knock' } }],
    })
    const path = `/knock/${encodeURIComponent(roomId)}?via=${hosts.serverName}&server_name=${hosts.serverName}`
    await gero.user.call('POST', path, { reason: 'I bring maps' })
    const knock = await seeMembership(hanna, roomId, gero, 'knock')
    assert.equal(knock.content['reason'], 'I bring maps')
    const shown = await gero.waitInSync(
      'the room they knocked on',
      ({ rooms }) => rooms?.knock?.[roomId]?.knock_state?.events,
      { ms: PATIENCE_MS },
    )
    assert.equal(shown.find(({ type }) => type === 'm.room.name')?.content['name'], 'Behind the door')
    await setMembership(hanna, roomId, 'invite', gero)
    await seeInvite(gero, roomId)
    await join(gero, roomId, hosts)
    await talk(hanna, gero, roomId, 'come in')

    await pest.user.call('POST', path, {})
    await seeMembership(hanna, roomId, pest, 'knock')
    const before = pest.syncs()
    await setMembership(hanna, roomId, 'kick', pest)
    await seeMembership(gero, roomId, pest, 'leave')
    await seeRemoved(pest, roomId, before - 1)
    await agree(hanna, gero, roomId)
  })
}

/** Synapse itself takes no knock back over federation: it does not keep through whom it was made. */
export function tellOfKnockTakenBack(sides: () => readonly [hosts: Side, guests: Side]): void {
  it('somebody takes their own knock back', async () => {
    const [hosts, guests] = sides()
    const [hanna, gero] = [await hosts.person('hanna'), await guests.person('gero')]
    const roomId = await hanna.createRoom({
      initial_state: [{ type: 'm.room.join_rules', state_key: '', content: { join_rule: 'knock' } }],
    })
    const path = `/knock/${encodeURIComponent(roomId)}?via=${hosts.serverName}&server_name=${hosts.serverName}`
    await gero.user.call('POST', path, {})
    await seeMembership(hanna, roomId, gero, 'knock')
    await leave(gero, roomId)
    await seeMembership(hanna, roomId, gero, 'leave')
  })
}
