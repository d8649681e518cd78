class Job
  include Sidekiq::Worker
  def perform; end
end
