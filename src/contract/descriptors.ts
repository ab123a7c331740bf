import { readFileSync } from "node:fs";
import { type PackageDefinition, type ServiceDefinition, loadFileDescriptorSetFromBuffer } from "@grpc/proto-loader";

/** The file made from proto/ by `npm run generate`: a serialized google.protobuf.FileDescriptorSet. */
export function descriptorSet(): Buffer {
  return readFileSync(new URL("../../../proto/descriptors.binpb", import.meta.url));
}

/** The services and messages of the descriptor set, by full name. */
export function loadContract(): PackageDefinition {
  return loadFileDescriptorSetFromBuffer(descriptorSet(), { keepCase: true, longs: String, enums: String });
}

/** One service of the contract. Throws when the descriptor set has no such service. */
export function serviceDefinition(contract: PackageDefinition, name: string): ServiceDefinition {
  const definition = contract[name];
  if (definition === undefined || "format" in definition) throw new Error(`the contract has no service ${name}`);
  return definition;
}
