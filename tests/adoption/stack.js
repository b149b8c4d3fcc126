// A stack of the CDK with an ECS task and a Batch job from a private registry, and one public image:
// `node stack.js PRIVATE_IMAGES OUTPUT`, where the first is the module that docs/cdk.md shows.
const { App, Aspects, Stack } = require('aws-cdk-lib');
const { CfnJobDefinition } = require('aws-cdk-lib/aws-batch');
const { ContainerImage, FargateTaskDefinition } = require('aws-cdk-lib/aws-ecs');
const { Key } = require('aws-cdk-lib/aws-kms');
const { Secret } = require('aws-cdk-lib/aws-secretsmanager');

const { PrivateImages } = require(process.argv[2]);
const account = '111122223333';
const region = 'eu-west-1';
const app = new App({ outdir: process.argv[3] });
const stack = new Stack(app, 'Web', { env: { account, region } });
const key = Key.fromKeyArn(
  stack,
  'QuayKey',
  `arn:aws:kms:${region}:${account}:key/1234abcd-12ab-34cd-56ef-1234567890ab`,
);
const secret = Secret.fromSecretAttributes(stack, 'Quay', {
  secretCompleteArn: `arn:aws:secretsmanager:${region}:${account}:secret:registry/quay-AbCdEf`,
  encryptionKey: key,
});
const task = new FargateTaskDefinition(stack, 'Task');
task.addContainer('web', { image: ContainerImage.fromRegistry('quay.io/acme/web:1.4') });
task.addContainer('proxy', { image: ContainerImage.fromRegistry('nginx:1') });
if (process.argv[4] === 'by-hand') {
  task.addContainer('old', {
    image: ContainerImage.fromRegistry('quay.io/acme/old:1', { credentials: secret }),
  });
} else {
  Aspects.of(app).add(new PrivateImages({ 'quay.io': secret }));
}
new CfnJobDefinition(stack, 'Job', {
  type: 'container',
  containerProperties: {
    image: 'quay.io/acme/job:2',
    resourceRequirements: [
      { type: 'VCPU', value: '1' },
      { type: 'MEMORY', value: '512' },
    ],
  },
});
app.synth();
