import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { it } from 'node:test'
import { startCauseway } from '@causeway/testkit/causeway.ts'
import { registerUser, request } from '@causeway/testkit/matrix-client.ts'

const MAIN = path.join(import.meta.dirname, '../main.ts')

it('a token from before a restored backup gets everything anew, and the command waits for the server to stop', async () => {
  await using server = await startCauseway()
  const user = await registerUser(server.url, 'alice')
  const { room_id: roomId } = await user.call('POST', '/createRoom', { name: 'Maps' })
  const { next_batch: token } = await user.call('GET', '/sync')
  const args = [MAIN, 'after-restore', '--config', path.join(server.folder, 'causeway.yaml')]
  assert.notEqual(spawnSync(process.execPath, args).status, 0, 'refused while the server runs')
  await server.stop()
  const renewed = spawnSync(process.execPath, args, { encoding: 'utf8' })
  assert.equal(renewed.status, 0, renewed.stderr)
  await server.start()
  const query = `?since=${token as string}&timeout=0`
  const answer = await request(server.url, 'GET', `/_matrix/client/v3/sync${query}`, { token: user.token })
  assert.equal(answer.status, 200)
  assert.ok(JSON.stringify(answer.body).includes(roomId as string), 'the room is told again')
})
