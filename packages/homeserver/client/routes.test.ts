import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/schema'
import { clientRoutes } from './routes.ts'

// A server compiles a schema only when it is first needed; one that is not well formed is to be found here.
it('the schemas of every operation compile', () => {
  const schemas = clientRoutes.flatMap(({ operation, params, query, body }) =>
    [params, query, body]
      .filter((schema) => schema !== undefined && schema !== 'stream')
      .map((schema): [string, TSchema] => [operation, schema as TSchema]),
  )
  assert.ok(schemas.length > 150)
  for (const [operation, schema] of schemas) {
    assert.equal(typeof Compile(schema).Check(undefined), 'boolean', operation)
  }
})
