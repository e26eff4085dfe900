import assert from 'node:assert/strict'
import { it } from 'node:test'
import { isServed } from './resource.ts'

it('a listener serves clients, other servers, or both, and tells either where the server is', () => {
  const servedBy = (path: string): string =>
    [
      isServed(path, ['client']),
      isServed(path, ['federation']),
      isServed(path, ['client', 'federation']),
    ].join()
  assert.equal(servedBy('/_matrix/client/v3/sync'), 'true,false,true')
  assert.equal(servedBy('/_synapse/admin/v1/register'), 'true,false,true')
  assert.equal(servedBy('/_matrix/federation/v1/send/:txnId'), 'false,true,true')
  assert.equal(servedBy('/_matrix/key/v2/server'), 'false,true,true')
  assert.equal(servedBy('/.well-known/matrix/server'), 'true,true,true')
  assert.equal(servedBy('/.well-known/matrix/client'), 'true,false,true')
})
