import { readFileSync } from "node:fs";
import { type PackageDefinition, type ServiceDefinition, loadFileDescriptorSetFromBuffer } from "@grpc/proto-loader";
import { type FileDescriptor, fileDescriptors, setOf } from "./file-descriptors.ts";

/** The serialized google.protobuf.FileDescriptorSet that `npm run generate` makes from proto/. */
export function descriptorSet(): Buffer {
  return readFileSync(new URL("../../../proto/descriptors.binpb", import.meta.url));
}

/**
 * The services and messages of files of the descriptor set, by full name; by default of all files. Loading all files takes
 * as long as a tenth of a server's start.
 */
export function loadContract(files: readonly FileDescriptor[] = fileDescriptors(descriptorSet())): PackageDefinition {
  return loadFileDescriptorSetFromBuffer(setOf(files), { keepCase: true, longs: String, enums: String });
}

/** One service of the contract. Throws if the descriptor set does not have it. */
export function serviceDefinition(contract: PackageDefinition, name: string): ServiceDefinition {
  const definition = contract[name];
  if (definition === undefined || "format" in definition) throw new Error(`the contract has no service ${name}`);
  return definition;
}
